//! Several keys at once: MSET, MSETNX, MSETEX. All or nothing; later values of a repeated key win.

use store::{Deadline, EventClass};

use crate::args::{Ttl, TtlWords, Words, is, ranged_or, wrong_arity};
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{
    Acl, Arity, Begin, CommandSpec, Find, Flags, Group, KeyAt, KeyFlags, Keys, LogForm,
};
use crate::string::{incoming, overwrite, remove_passed};

/// MSET key value [key value ...]
pub const MSET: CommandSpec = CommandSpec {
    name: "mset",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::overwrite(1).to(-1, 2)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::String,
    since: "1.0.1",
    summary: "Stores a string under each of several keys.",
    complexity: "O(N) for N keys",
    syntax: "key value [key value ...]",
    tips: &[
        "request_policy:multi_shard",
        "response_policy:all_succeeded",
    ],
    ..CommandSpec::row(mset)
};

fn mset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let pairs = pairs(call, "mset")?;
    put_pairs(call, 1, pairs, Deadline::Clear)?;
    call.reply.ok();
    Ok(())
}

/// MSETNX key value [key value ...]
pub const MSETNX: CommandSpec = CommandSpec {
    name: "msetnx",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::OW.or(KeyFlags::INSERT)).to(-1, 2)]),
    summary: "Stores a string under each of several keys, unless one of them is there already.",
    tips: &[],
    run: msetnx,
    ..MSET
};

fn msetnx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let pairs = pairs(call, "msetnx")?;
    let free = none_or_all(call, 1, pairs, Some(Existence::None));
    if free {
        put_pairs(call, 1, pairs, Deadline::Clear)?;
    }
    call.reply.int(i64::from(free));
    Ok(())
}

/// MSETEX numkeys key value [key value ...] [NX | XX] [EX … | KEEPTTL]
pub const MSETEX: CommandSpec = CommandSpec {
    name: "msetex",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt {
        begin: Begin::Index(1),
        find: Find::KeyNum {
            at: 0,
            first: 1,
            step: 2,
        },
        access: KeyFlags::OW.or(KeyFlags::UPDATE),
    }]),
    log: LogForm::Effects,
    since: "8.4.0",
    summary: "Stores a string under each of several keys, on conditions and for a time if asked to.",
    syntax: "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    run: msetex,
    ..MSET
};

fn msetex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let range = 1..=i64::from(i32::MAX);
    let pairs = ranged_or(call.args.get(1), range, "ERR invalid numkeys value")? as usize;
    let end = 2 + pairs * 2;
    if call.args.len() < end {
        return Err(CommandError::Fixed("ERR wrong number of key-value pairs"));
    }
    let known = TtlWords {
        keep: true,
        persist: false,
        repeats: true,
    };
    let (mut ttl, mut words) = (Ttl::default(), Words::from(call.args, end));
    let mut wanted = None;
    while let Some(word) = words.next() {
        let said = match word {
            word if is(word, "NX") => Existence::None,
            word if is(word, "XX") => Existence::All,
            word if ttl.take(word, &mut words, known)? => continue,
            _ => return Err(CommandError::Syntax),
        };
        if wanted.is_some_and(|before| before != said) {
            return Err(CommandError::Syntax);
        }
        wanted = Some(said);
    }
    let now = call.unit.now_ms();
    let deadline = match (ttl, ttl.deadline("msetex", now)?) {
        (_, Some(at)) => Deadline::At(at),
        (Ttl::Keep, None) => Deadline::Keep,
        _ => Deadline::Clear,
    };
    let met = none_or_all(call, 2, pairs, wanted);
    if met {
        match deadline {
            Deadline::At(at) if at <= call.unit.expiry_ms() => remove_keys(call, pairs),
            _ => {
                put_pairs(call, 2, pairs, deadline)?;
                log_msetex(call, end, deadline);
            }
        }
    }
    call.reply.int(i64::from(met));
    Ok(())
}

/// How many pairs MSET and MSETNX were given.
fn pairs(call: &Call<'_, '_>, command: &str) -> Result<usize, CommandError> {
    if call.args.len().is_multiple_of(2) {
        return Err(wrong_arity(command));
    }
    Ok((call.args.len() - 1) / 2)
}

/// What NX and XX want of all the keys together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existence {
    None,
    All,
}

/// Whether the keys from word `first` on are all as wanted.
fn none_or_all(
    call: &mut Call<'_, '_>,
    first: usize,
    pairs: usize,
    wanted: Option<Existence>,
) -> bool {
    let Some(wanted) = wanted else { return true };
    (0..pairs).all(|pair| {
        let key = call.key(first + pair * 2);
        let exists = matches!(call.unit.slot(key), store::Slot::Occupied(_));
        exists == (wanted == Existence::All)
    })
}

fn put_pairs(
    call: &mut Call<'_, '_>,
    first: usize,
    pairs: usize,
    deadline: Deadline,
) -> Result<(), CommandError> {
    for index in (first..).step_by(2).take(pairs) {
        let key = call.key(index);
        overwrite(call.unit, key, incoming(call.args, index + 1), deadline)?;
        call.unit.dirty(1);
        call.unit.notify(EventClass::STRING, "set", key.bytes());
        if matches!(deadline, Deadline::At(_)) {
            call.unit.notify(EventClass::GENERIC, "expire", key.bytes());
        }
    }
    Ok(())
}

/// MSETEX with a moment that has passed: what is there goes.
fn remove_keys(call: &mut Call<'_, '_>, pairs: usize) {
    for index in (2..).step_by(2).take(pairs) {
        let key = call.key(index);
        remove_passed(call, key);
    }
}

/// Logs the pairs without their condition, which has been met, and with the deadline as a moment.
fn log_msetex(call: &mut Call<'_, '_>, end: usize, deadline: Deadline) {
    if !call.unit.logging() {
        return;
    }
    let mut text = [0; 20];
    let mut words: Vec<&[u8]> = call.args.take(end).iter().collect();
    words[0] = b"MSETEX";
    match deadline {
        Deadline::Clear => {}
        Deadline::Keep => words.push(b"KEEPTTL"),
        Deadline::At(at) => {
            words.extend([b"PXAT".as_slice(), resp::number::format_i64(at, &mut text)]);
        }
    }
    call.unit.log(&words);
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn mset_and_msetnx() {
        let mut bench = Bench::new();
        bench.effects("MSET a 1 b 2", "+OK", 2, "set a, set b", "MSET a 1 b 2");
        bench.check("MGET a b", "*2 $1 1 $1 2");
        bench.effects("MSETNX c 1 b 3", ":0", 0, "", "");
        bench.effects("MSETNX c 1 c 2", ":1", 2, "set c, set c", "MSETNX c 1 c 2");
        bench.check("GET c", "$1 2");
        bench.check(
            "MSET a 1 b",
            "-ERR wrong number of arguments for 'mset' command",
        );
        bench.check(
            "MSETNX a 1 b",
            "-ERR wrong number of arguments for 'msetnx' command",
        );
    }

    #[test]
    fn msetex() {
        let mut bench = Bench::new();
        let at = NOW_MS + 7_000;
        let log = format!("MSETEX 2 a 1 b 2 PXAT {at}");
        let events = "set a, expire a, set b, expire b";
        bench.effects("MSETEX 2 a 1 b 2 NX EX 7", ":1", 2, events, &log);
        bench.effects("MSETEX 2 a 1 c 2 XX", ":0", 0, "", "");
        bench.effects("MSETEX 2 a 1 c 2 NX", ":0", 0, "", "");
        let log = "MSETEX 1 a 3 KEEPTTL";
        bench.effects("MSETEX 1 a 3 XX KEEPTTL", ":1", 1, "set a", log);
        assert_eq!(bench.contents()[0].2, Some(at));
        bench.effects("MSETEX 1 a 3", ":1", 1, "set a", "MSETEX 1 a 3");
        bench.effects("MSETEX 2 a 3 z 4 PXAT 1", ":1", 1, "del a", "DEL a");
        for count in ["0", "-1", "x", "2147483648"] {
            bench.check(&format!("MSETEX {count} a 1"), "-ERR invalid numkeys value");
        }
        bench.check(
            "MSETEX 2147483647 a 1",
            "-ERR wrong number of key-value pairs",
        );
        bench.check("MSETEX 1 a 1 NX XX", "-ERR syntax error");
        bench.check("MSETEX 1 a 1 EX 1 KEEPTTL", "-ERR syntax error");
        bench.check(
            "MSETEX 1 a 1 EX 0",
            "-ERR invalid expire time in 'msetex' command",
        );
    }
}
