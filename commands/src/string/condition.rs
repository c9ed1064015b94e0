//! Conditions on what a key holds now: SET's NX, XX, IFEQ, IFNE, IFDEQ and IFDNE, and the two
//! commands that remove a key on such a condition.
//!
//! | word | a missing key | a string | another type |
//! |---|---|---|---|
//! | NX | holds | fails | fails |
//! | XX | fails | holds | holds |
//! | IFEQ, IFDEQ | fails | when it is equal | is an error |
//! | IFNE, IFDNE | holds for SET, nothing to do for DELEX | when it differs | is an error |
//!
//! The two digest forms compare XXH3-64 as sixteen hexadecimal digits of either case. A digest of
//! another form is an error only when there is a string to compare it with.

use store::{EntryRef, EventClass, Slot, Str};
use xxhash_rust::xxh3::xxh3_64;

use crate::args::{Words, is, wrong_arity};
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};

/// What must be true of a key before something is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// Nothing.
    None,
    /// NX.
    Absent,
    /// XX.
    Present,
    /// IFEQ.
    Equal(&'a [u8]),
    /// IFNE.
    Differs(&'a [u8]),
    /// IFDEQ.
    DigestEqual(&'a [u8]),
    /// IFDNE.
    DigestDiffers(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// Takes `word` if it is one of the six, with its operand. Two that exclude each other are a
    /// syntax error; NX and XX may be said again.
    pub(super) fn take(
        &mut self,
        word: &[u8],
        words: &mut Words<'a>,
    ) -> Result<bool, CommandError> {
        let said = if is(word, "NX") {
            Condition::Absent
        } else if is(word, "XX") {
            Condition::Present
        } else if let Some(make) = Self::comparison(word) {
            make(words.value()?)
        } else {
            return Ok(false);
        };
        let again = matches!(said, Condition::Absent | Condition::Present) && *self == said;
        if *self != Condition::None && !again {
            return Err(CommandError::Syntax);
        }
        *self = said;
        Ok(true)
    }

    /// What makes the condition of one of the four words with an operand.
    fn comparison(word: &[u8]) -> Option<fn(&'a [u8]) -> Condition<'a>> {
        Some(match word {
            word if is(word, "IFEQ") => Condition::Equal,
            word if is(word, "IFNE") => Condition::Differs,
            word if is(word, "IFDEQ") => Condition::DigestEqual,
            word if is(word, "IFDNE") => Condition::DigestDiffers,
            _ => return None,
        })
    }

    /// Whether it holds for what was found.
    pub(super) fn holds(self, found: Option<EntryRef<'_>>) -> Result<bool, CommandError> {
        let Some(entry) = found else {
            return Ok(!matches!(
                self,
                Condition::Present | Condition::Equal(_) | Condition::DigestEqual(_)
            ));
        };
        let (equal, wanted) = match self {
            Condition::None | Condition::Present => return Ok(true),
            Condition::Absent => return Ok(false),
            Condition::Equal(other) => (same(entry.string()?, other), true),
            Condition::Differs(other) => (same(entry.string()?, other), false),
            Condition::DigestEqual(hex) => (same_digest(entry.string()?, hex)?, true),
            Condition::DigestDiffers(hex) => (same_digest(entry.string()?, hex)?, false),
        };
        Ok(equal == wanted)
    }
}

fn same(value: Str<'_>, other: &[u8]) -> bool {
    value.bytes(&mut [0; 20]) == other
}

fn same_digest(value: Str<'_>, hex: &[u8]) -> Result<bool, CommandError> {
    if hex.len() != 16 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return Err(CommandError::Fixed(
            "ERR must be exactly 16 hexadecimal characters",
        ));
    }
    Ok(digest_hex(value).eq_ignore_ascii_case(hex))
}

/// A string's XXH3-64 as sixteen lower-case hexadecimal digits.
pub(super) fn digest_hex(value: Str<'_>) -> [u8; 16] {
    let hash = xxh3_64(value.bytes(&mut [0; 20]));
    std::array::from_fn(|i| b"0123456789abcdef"[(hash >> (60 - 4 * i)) as usize & 15])
}

/// DELEX key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]
pub const DELEX: CommandSpec = CommandSpec {
    name: "delex",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW
            .or(KeyFlags::DELETE)
            .or(KeyFlags::VARIABLE_FLAGS),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "8.4.0",
    summary: "Removes a key if its string, or the digest of it, is as expected.",
    complexity: "O(1); O(N) for IFDEQ and IFDNE with a string of N bytes",
    syntax: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
    ..CommandSpec::row(delex)
};

fn delex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let condition = match call.args.len() {
        2 => Condition::None,
        4 => match Condition::comparison(call.args.get(2)) {
            Some(make) => make(call.args.get(3)),
            None => {
                let text = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";
                return Err(CommandError::Fixed(text));
            }
        },
        _ => return Err(wrong_arity("delex")),
    };
    remove_if(call, condition).map_err(|error| match error {
        CommandError::WrongType => {
            CommandError::Fixed("ERR Key should be of string type if conditions are specified")
        }
        other => other,
    })
}

/// DELIFEQ key value
///
/// Valkey's form of `DELEX key IFEQ value`.
pub const DELIFEQ: CommandSpec = CommandSpec {
    name: "delifeq",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RM.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "9.0.0",
    summary: "Removes a key if it holds this string.",
    syntax: "key value",
    ..CommandSpec::row(delifeq)
};

fn delifeq(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    remove_if(call, Condition::Equal(call.args.get(2)))
}

/// Removes word 1's key if the condition holds; replies with how many keys were removed.
fn remove_if(call: &mut Call<'_, '_>, condition: Condition<'_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let Slot::Occupied(slot) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    if !condition.holds(Some(slot.entry()))? {
        call.reply.int(0);
        return Ok(());
    }
    slot.remove();
    call.unit.notify(EventClass::GENERIC, "del", key.bytes());
    call.unit.dirty(1);
    call.unit.log(&[b"DEL", key.bytes()]);
    call.reply.int(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn conditional_removal() {
        let mut bench = Bench::new();
        bench.effects("DELEX k", ":0", 0, "", "");
        bench.check("SET k hello", "+OK");
        bench.effects("DELEX k IFEQ x", ":0", 0, "", "");
        bench.effects("DELEX k IFNE hello", ":0", 0, "", "");
        bench.effects("DELEX k ifdne 9555e8555c62dcfd", ":0", 0, "", "");
        bench.effects("DELEX k IFDEQ 9555E8555c62dcfd", ":1", 1, "del k", "DEL k");
        bench.check("SET k 5", "+OK");
        bench.effects("DELIFEQ k 6", ":0", 0, "", "");
        bench.effects("DELIFEQ k 5", ":1", 1, "del k", "DEL k");
        bench.check("SET k 5", "+OK");
        bench.effects("DELEX k", ":1", 1, "del k", "DEL k");
        bench.check(
            "DELEX k IFEQ",
            "-ERR wrong number of arguments for 'delex' command",
        );
        bench.check(
            "DELEX k NX v",
            "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE",
        );
    }
}
