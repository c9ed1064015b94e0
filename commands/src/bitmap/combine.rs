//! BITOP: several strings, bit by bit, into one.
//!
//! The result is as long as the longest source; shorter ones are zeros behind their end. The
//! sources are folded into the result one after another, eight bytes a step:
//!
//! | operation | result | how it is folded |
//! |---|---|---|
//! | AND, OR, XOR | of all | `r op= s` |
//! | NOT | of the one | `!s` |
//! | DIFF | in the first and in no other | `r = others; first & !r` |
//! | DIFF1 | in another and not in the first | `r = others; r & !first` |
//! | ANDOR | in the first and in another | `r = others; r & first` |
//! | ONE | in exactly one | a second row keeps what was seen twice |

use store::{Deadline, EventClass, NewStr, Str};

use crate::args::is;
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys, LogForm};
use crate::string::overwrite;

/// BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]
pub const BITOP: CommandSpec = CommandSpec {
    name: "bitop",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::overwrite(2), KeyAt::read(3).to(-1, 1)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::BITMAP).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N) for N bytes in all sources",
    syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    ..CommandSpec::row(bitop)
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    Diff,
    Diff1,
    AndOr,
    One,
}

impl Operation {
    /// The operation and whether it may have so many sources.
    fn read(word: &[u8], sources: usize) -> Result<Operation, CommandError> {
        const ALL: [(&str, Operation); 8] = [
            ("AND", Operation::And),
            ("OR", Operation::Or),
            ("XOR", Operation::Xor),
            ("NOT", Operation::Not),
            ("DIFF", Operation::Diff),
            ("DIFF1", Operation::Diff1),
            ("ANDOR", Operation::AndOr),
            ("ONE", Operation::One),
        ];
        let found = ALL.iter().find(|(name, _)| is(word, name));
        let (_, operation) = *found.ok_or(CommandError::Syntax)?;
        let refused = match operation {
            Operation::Not if sources != 1 => {
                "ERR BITOP NOT must be called with a single source key."
            }
            Operation::Diff if sources < 2 => {
                "ERR BITOP DIFF must be called with at least two source keys."
            }
            Operation::Diff1 if sources < 2 => {
                "ERR BITOP DIFF1 must be called with at least two source keys."
            }
            Operation::AndOr if sources < 2 => {
                "ERR BITOP ANDOR must be called with at least two source keys."
            }
            _ => return Ok(operation),
        };
        Err(CommandError::Fixed(refused))
    }
}

fn bitop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let operation = Operation::read(call.args.get(1), call.args.len() - 3)?;
    let result = result(call, operation)?;
    let (destination, length) = (call.key(2), result.len());
    if result.is_empty() {
        if call.unit.remove(destination) {
            call.unit
                .notify(EventClass::GENERIC, "del", destination.bytes());
            call.unit.dirty(1);
        }
    } else {
        let value = NewStr::Blob(std::sync::Arc::new(result));
        overwrite(call.unit, destination, value, Deadline::Clear)?;
        call.unit
            .notify(EventClass::STRING, "set", destination.bytes());
        call.unit.dirty(1);
    }
    call.reply.int(length as i64);
    Ok(())
}

/// The combined bytes. All sources are judged before any byte is computed.
fn result(call: &mut Call<'_, '_>, operation: Operation) -> Result<Vec<u8>, CommandError> {
    let mut longest = 0;
    for index in 3..call.args.len() {
        let key = call.key(index);
        longest = longest.max(call.unit.read_string(key)?.map_or(0, Str::len));
    }
    let mut row = zeros(longest)?;
    let mut twice = zeros(if operation == Operation::One {
        longest
    } else {
        0
    })?;
    let look = |index: usize| {
        let value = call.unit.look_string(call.key(index)).ok().flatten();
        value.unwrap_or(Str::Bytes(b""))
    };
    // DIFF and its sisters gather the others first and then meet the first source.
    let meets_first = matches!(
        operation,
        Operation::Diff | Operation::Diff1 | Operation::AndOr
    );
    for index in 3 + usize::from(meets_first)..call.args.len() {
        let mut room = [0; 20];
        let source = look(index).bytes(&mut room);
        match operation {
            Operation::And if index > 3 => {
                fold(&mut row, source, |r, s| r & s);
                row[source.len()..].fill(0);
            }
            Operation::Xor => fold(&mut row, source, |r, s| r ^ s),
            Operation::One => {
                both(&mut twice, &row, source);
                fold(&mut row, source, |r, s| r | s);
            }
            Operation::Not => fold(&mut row, source, |_, s| !s),
            _ => fold(&mut row, source, |r, s| r | s),
        }
    }
    if operation == Operation::One {
        fold(&mut row, &twice, |r, s| r & !s);
    }
    if meets_first {
        let mut room = [0; 20];
        let source = look(3).bytes(&mut room);
        match operation {
            Operation::Diff => fold(&mut row, source, |r, s| s & !r),
            Operation::Diff1 => fold(&mut row, source, |r, s| r & !s),
            _ => fold(&mut row, source, |r, s| r & s),
        }
        if operation != Operation::Diff1 {
            row[source.len()..].fill(0);
        }
    }
    Ok(row)
}

/// So many zero bytes, unless the system refuses.
fn zeros(length: usize) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length)
        .map_err(|_| CommandError::Refused)?;
    bytes.resize(length, 0);
    Ok(bytes)
}

/// `row = f(row, source)` as far as the source reaches.
fn fold(row: &mut [u8], source: &[u8], f: impl Fn(u64, u64) -> u64) {
    let row = &mut row[..source.len()];
    let (words, rest) = row.as_chunks_mut::<8>();
    let (source_words, source_rest) = source.as_chunks::<8>();
    for (word, source) in words.iter_mut().zip(source_words) {
        *word = f(u64::from_ne_bytes(*word), u64::from_ne_bytes(*source)).to_ne_bytes();
    }
    for (byte, source) in rest.iter_mut().zip(source_rest) {
        *byte = f(u64::from(*byte), u64::from(*source)) as u8;
    }
}

/// Adds to `twice` what is in `row` and in `source`.
fn both(twice: &mut [u8], row: &[u8], source: &[u8]) {
    for ((twice, row), source) in twice.iter_mut().zip(row).zip(source) {
        *twice |= row & source;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn operations() {
        let mut bench = Bench::new();
        bench.check(
            "MSET a \"\\xf0\\x0f\" b \"\\x3c\" c \"\\x18\\xff\\x01\"",
            "+OK",
        );
        for (line, expected) in [
            ("AND d a b c", "\\x10\\x00\\x00"),
            ("OR d a b c", "\\xfc\\xff\\x01"),
            ("XOR d a b c", "\\xd4\\xf0\\x01"),
            ("NOT d a", "\\x0f\\xf0"),
            ("DIFF d a b c", "\\xc0\\x00\\x00"),
            ("DIFF1 d a b c", "\\x0c\\xf0\\x01"),
            ("ANDOR d a b c", "\\x30\\x0f\\x00"),
            ("ONE d a b c", "\\xc4\\xf0\\x01"),
        ] {
            let length = expected.len() / 4;
            let log = format!("BITOP {line}");
            bench.effects(&log, &format!(":{length}"), 1, "set d", &log);
            let held = bench
                .contents()
                .into_iter()
                .find(|row| row.0 == b"d")
                .expect("stored");
            let shown: String = held.1.iter().map(|b| format!("\\x{b:02x}")).collect();
            assert_eq!(shown, expected, "{line}");
        }
        bench.effects("BITOP AND d x y", ":0", 1, "del d", "BITOP AND d x y");
        bench.effects("BITOP AND d x y", ":0", 0, "", "");
        bench.check("BITOP NAND d a b", "-ERR syntax error");
        bench.check(
            "BITOP NOT d a b",
            "-ERR BITOP NOT must be called with a single source key.",
        );
        for name in ["DIFF", "DIFF1", "ANDOR"] {
            let text = format!("-ERR BITOP {name} must be called with at least two source keys.");
            bench.check(&format!("BITOP {name} d a"), &text);
        }
    }
}
