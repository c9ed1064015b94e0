//! HGETEX, HSETEX, HGETDEL: values read or written together with their fields' times.

use resp::Args;
use store::{Container, EventClass, FieldDeadline, Hash, Key, Slot};

use super::expire::{log_removed, report_deadline, report_persisted};
use super::fields::{self, POSITIVE};
use super::set::put_pairs;
use super::{report_removed, say};
use crate::args::{TimeForm, Words, is, ranged_or, wrong_arity};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// HGETEX key [EX seconds | PX milliseconds | .. | PERSIST] FIELDS numfields field [field ...]
pub(super) const HGETEX: CommandSpec = CommandSpec {
    name: "hgetex",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::HASH.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::Hash,
    since: "9.0.0",
    summary: "Shows the values of fields of a hash and gives them a time or takes it away.",
    complexity: "O(N) for N fields.",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]",
    ..CommandSpec::row(hgetex)
};

/// What HGETEX does to the fields that it shows.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    Persist,
    Expire(i64),
}

fn hgetex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.now_ms());
    let live_ms = call.unit.expiry_ms();
    call.unit.read_as::<Hash>(key)?;
    let (then, behind) = parse_then(call.args, now_ms)?;
    let names = fields::parse(call.args, behind, POSITIVE)?;
    call.unit.expire_fields(key, names.iter());
    call.reply.array(names.len());
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        names.iter().for_each(|_| call.reply.null());
        return Ok(());
    };
    let has_passed = matches!(then, Then::Expire(at) if at <= live_ms);
    let (reply, mut changed) = (&mut *call.reply, Vec::new());
    let is_empty = slot.edit(|hash: &mut Hash| {
        if let Then::Expire(_) = then {
            hash.expect_deadlines()?;
        }
        for name in names.iter() {
            let Some(field) = hash.get(name, live_ms) else {
                reply.null();
                continue;
            };
            say(field.value, reply);
            let has_deadline = field.deadline.is_some();
            let is_changed = match then {
                Then::Nothing => false,
                Then::Persist => has_deadline && hash.set_deadline(name, None)?,
                Then::Expire(_) if has_passed => hash.remove(name),
                Then::Expire(at) => hash.set_deadline(name, Some(at))?,
            };
            if is_changed {
                changed.push(name);
            }
        }
        Ok::<_, CommandError>((hash.is_empty(), !changed.is_empty()))
    })?;
    match then {
        Then::Expire(_) if has_passed => {
            log_removed(call, key, &changed);
            report_removed(call, key, changed.len() as u64, is_empty);
        }
        Then::Expire(at) => report_deadline(call, key, &changed, at),
        Then::Persist | Then::Nothing => report_persisted(call, key, &changed),
    }
    Ok(())
}

/// The one option that HGETEX takes before FIELDS, and the place behind it.
fn parse_then(args: Args<'_>, now_ms: i64) -> Result<(Then, usize), CommandError> {
    let word = args.get(2);
    if is(word, "PERSIST") {
        return Ok((Then::Persist, 3));
    }
    match TimeForm::of(word) {
        Some(form) => {
            let at = fields::deadline(args.get(3), form, "hgetex", now_ms)?;
            Ok((Then::Expire(at), 4))
        }
        None => Ok((Then::Nothing, 2)),
    }
}

/// HSETEX key [FNX | FXX] [EX seconds | .. | KEEPTTL] FIELDS numfields field value [field value ...]
pub(super) const HSETEX: CommandSpec = CommandSpec {
    name: "hsetex",
    arity: Arity::AtLeast(6),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    summary: "Gives fields of a hash values and a time, on the condition that all or none exist.",
    syntax: "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    run: hsetex,
    ..HGETEX
};

/// HSETEX's words.
struct SetEx<'a> {
    /// Only if each field exists, or none does.
    exist: Option<bool>,
    deadline: FieldDeadline,
    pairs: Args<'a>,
}

impl<'a> SetEx<'a> {
    fn parse(args: Args<'a>, now_ms: i64) -> Result<SetEx<'a>, CommandError> {
        const ONE_TIME: &str =
            "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
        const ONE_CONDITION: &str = "ERR Only one of FXX or FNX arguments can be specified";
        const BAD_COUNT: &str = "ERR invalid number of fields";
        let (mut exist, mut deadline) = (None, None);
        let mut words = Words::from(args, 2);
        while let Some(word) = words.next() {
            if is(word, "FIELDS") {
                // A pair must follow, or the count is not even looked at.
                if words.left() < 3 {
                    return Err(wrong_arity("hsetex"));
                }
                let count = words.value()?;
                let count = ranged_or(count, 1..=i64::from(i32::MAX), BAD_COUNT)?;
                let pairs = args.skip(args.len() - words.left());
                if pairs.len() as i64 != count * 2 {
                    return Err(wrong_arity("hsetex"));
                }
                let deadline = deadline.unwrap_or(FieldDeadline::Clear);
                return Ok(SetEx {
                    exist,
                    deadline,
                    pairs,
                });
            }
            let form = TimeForm::of(word);
            if form.is_some() || is(word, "KEEPTTL") {
                if deadline.is_some() {
                    return Err(CommandError::Fixed(ONE_TIME));
                }
                deadline = Some(match form {
                    Some(form) => {
                        let time = words.next().ok_or_else(|| wrong_arity("hsetex"))?;
                        FieldDeadline::At(fields::deadline(time, form, "hsetex", now_ms)?)
                    }
                    None => FieldDeadline::Keep,
                });
            } else if is(word, "FNX") || is(word, "FXX") {
                if exist.is_some() {
                    return Err(CommandError::Fixed(ONE_CONDITION));
                }
                exist = Some(is(word, "FXX"));
            } else {
                let word = String::from_utf8_lossy(word);
                let text = format!("ERR unknown argument: {word}");
                return Err(CommandError::Text(text.into()));
            }
        }
        Err(wrong_arity("hsetex"))
    }

    fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        let pairs = self.pairs;
        (0..pairs.len())
            .step_by(2)
            .map(move |index| pairs.get(index))
    }
}

fn hsetex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.now_ms());
    let live_ms = call.unit.expiry_ms();
    let wanted = SetEx::parse(call.args, now_ms)?;
    let limits = &call.settings.limits;
    let hash = call.unit.read_as::<Hash>(key)?;
    if hash.is_none() && wanted.exist == Some(true) {
        call.reply.int(0);
        return Ok(());
    }
    if let Some(exist) = wanted.exist {
        call.unit.expire_fields(key, wanted.names());
        let hash = call.unit.look_as::<Hash>(key)?;
        let exists = |name: &[u8]| hash.is_some_and(|hash| hash.get(name, live_ms).is_some());
        if wanted.names().any(|name| exists(name) != exist) {
            call.reply.int(0);
            return Ok(());
        }
    }
    let (deadline, pairs) = (wanted.deadline, wanted.pairs);
    let put = |hash: &mut Hash| {
        if let FieldDeadline::At(_) = deadline {
            hash.expect_deadlines()?;
        }
        put_pairs(hash, pairs, deadline, limits).map(|_| ())
    };
    match call.unit.slot(key) {
        Slot::Vacant(at) => {
            let mut hash = Hash::new();
            put(&mut hash)?;
            at.insert(hash, None)?;
        }
        Slot::Occupied(mut at) => {
            at.edit(|hash: &mut Hash| Ok::<_, CommandError>((put(hash)?, true)))?;
        }
    }
    call.unit.notify(EventClass::HASH, "hset", key.bytes());
    match deadline {
        FieldDeadline::At(at_ms) if at_ms <= live_ms => {
            return remove_passed(call, key, &wanted.names().collect::<Vec<_>>());
        }
        FieldDeadline::At(_) => call.unit.notify(EventClass::HASH, "hexpire", key.bytes()),
        FieldDeadline::Keep | FieldDeadline::Clear => {}
    }
    call.unit.dirty(pairs.len() as u64 / 2);
    log_set(call, key, deadline, pairs);
    call.reply.int(1);
    Ok(())
}

/// What was set lies in the past: it goes at once.
fn remove_passed(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    names: &[&[u8]],
) -> Result<(), CommandError> {
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has just been set")
    };
    let is_empty = at.edit(|hash: &mut Hash| {
        for name in names {
            hash.remove(name);
        }
        Ok::<_, CommandError>((hash.is_empty(), true))
    })?;
    log_removed(call, key, names);
    report_removed(call, key, names.len() as u64, is_empty);
    call.reply.int(1);
    Ok(())
}

/// Logs HSETEX without its condition, which was met, and with its time as a moment.
fn log_set(call: &mut Call<'_, '_>, key: Key<'_>, deadline: FieldDeadline, pairs: Args<'_>) {
    if !call.unit.logging() {
        return;
    }
    let (mut at, mut count) = ([0; 20], [0; 20]);
    let mut words: Vec<&[u8]> = vec![b"HSETEX", key.bytes()];
    match deadline {
        FieldDeadline::At(ms) => words.extend([b"PXAT", resp::number::format_i64(ms, &mut at)]),
        FieldDeadline::Keep => words.push(b"KEEPTTL"),
        FieldDeadline::Clear => {}
    }
    let count = resp::number::format_u64(pairs.len() as u64 / 2, &mut count);
    words.extend([b"FIELDS", count]);
    words.extend(pairs.iter());
    call.unit.log(&words);
}

/// HGETDEL key FIELDS numfields field [field ...]
pub(super) const HGETDEL: CommandSpec = CommandSpec {
    name: "hgetdel",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE),
    )]),
    since: "9.1.0",
    summary: "Shows the values of fields of a hash and removes them.",
    syntax: "key FIELDS numfields field [field ...]",
    run: hgetdel,
    ..HGETEX
};

fn hgetdel(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.expiry_ms());
    call.unit.read_as::<Hash>(key)?;
    let names = fields::parse(call.args, 2, POSITIVE)?;
    call.unit.expire_fields(key, names.iter());
    call.reply.array(names.len());
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        names.iter().for_each(|_| call.reply.null());
        return Ok(());
    };
    let (reply, mut removed) = (&mut *call.reply, Vec::new());
    let is_empty = at.edit(|hash: &mut Hash| {
        for name in names.iter() {
            match hash.get(name, now_ms) {
                Some(field) => {
                    say(field.value, reply);
                    hash.remove(name);
                    removed.push(name);
                }
                None => reply.null(),
            }
        }
        Ok::<_, CommandError>((hash.is_empty(), !removed.is_empty()))
    })?;
    log_removed(call, key, &removed);
    report_removed(call, key, removed.len() as u64, is_empty);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn the_log_holds_moments_and_no_conditions() {
        let mut bench = Bench::new();
        let log = format!("HSETEX h PXAT {} FIELDS 2 a 1 b 2", NOW_MS + 5_000);
        bench.effects(
            "HSETEX h FNX EX 5 FIELDS 2 a 1 b 2",
            ":1",
            2,
            "hset h, hexpire h",
            &log,
        );
        let log = "HSETEX h KEEPTTL FIELDS 1 a 2";
        bench.effects("HSETEX h KEEPTTL FIELDS 1 a 2", ":1", 1, "hset h", log);
        bench.effects("HSETEX h FNX FIELDS 1 a 2", ":0", 0, "", "");
        let log = "HSETEX h KEEPTTL FIELDS 1 a 2.5";
        bench.effects("HINCRBYFLOAT h a 0.5", "$3 2.5", 1, "hincrbyfloat h", log);
        let log = "HSET h c 0.5";
        bench.effects("HINCRBYFLOAT h c 0.5", "$3 0.5", 1, "hincrbyfloat h", log);
        let log = format!("HPEXPIREAT h {} FIELDS 1 c", NOW_MS + 9);
        bench.effects(
            "HGETEX h PX 9 FIELDS 2 c x",
            "*2 $3 0.5 $-1",
            1,
            "hexpire h",
            &log,
        );
        let log = "HPERSIST h FIELDS 1 c";
        bench.effects(
            "HGETEX h PERSIST FIELDS 1 c",
            "*1 $3 0.5",
            1,
            "hpersist h",
            log,
        );
        bench.effects("HGETEX h FIELDS 1 c", "*1 $3 0.5", 0, "", "");
        let log = "HDEL h c";
        bench.effects("HGETDEL h FIELDS 2 c c", "*2 $3 0.5 $-1", 1, "hdel h", log);
        let log = "HDEL h a b";
        let events = "hset h, hdel h, del h";
        bench.effects("HSETEX h PXAT 1 FIELDS 2 a 1 b 1", ":1", 2, events, log);
    }
}
