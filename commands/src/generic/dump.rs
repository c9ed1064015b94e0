//! DUMP and RESTORE: a value as bytes that another server takes.
//!
//! What RESTORE is handed comes from a stranger; `rdb::dump` judges it. Redis looks at the options
//! first, then whether the key is there, then at the time, then at the payload, and so do we, since
//! the answer tells which was wrong. A time that has passed leaves no key behind, and removes the
//! one that REPLACE was to replace.
//!
//! DUMP of a long value pins it and compresses after unlocking: at some 5 ns a byte a value of 100 MB
//! takes half a second.

use std::sync::Arc;

use rdb::{Compressor, Dialect, Loaded};
use resp::Reply;
use store::{Deadline, EventClass, Seen, Slot, ValueRef};

use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError, LONG_BYTES_MIN};

/// DUMP key
pub(super) const DUMP: CommandSpec = CommandSpec {
    name: "dump",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::SLOW),
    since: "2.6.0",
    summary: "Serializes the value of a key.",
    complexity: "O(N) where N is the size of the value.",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(dump)
};

fn dump(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let Some(entry) = call.unit.read(key) else {
        call.reply.null();
        return Ok(());
    };
    let (value, bytes) = (entry.value(), entry.memory_bytes());
    let (compress, dialect) = (call.settings.rdb_compression, call.settings.rdb_dialect);
    if bytes < LONG_BYTES_MIN {
        return say_dump(value, bytes, compress, dialect, call.reply);
    }
    let pinned = value.pin();
    call.later(move |reply| say_dump(pinned.value(), bytes, compress, dialect, reply))
}

/// Says the payload of a value of `bytes` in memory.
fn say_dump(
    value: ValueRef<'_>,
    bytes: usize,
    compress: bool,
    dialect: Dialect,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    let mut compressor = compress.then(Compressor::new);
    let mut payload = Vec::new();
    // As large as a client has made the value, so the system may refuse it.
    payload
        .try_reserve(bytes.saturating_add(FRAME_BYTES))
        .map_err(|_| CommandError::Refused)?;
    rdb::dump_in(dialect, value, compressor.as_mut(), &mut payload);
    let payload = Arc::new(payload);
    reply.blob(&payload, 0..payload.len());
    Ok(())
}

/// What a payload adds to a value's bytes: type, lengths, version, checksum.
const FRAME_BYTES: usize = 64;

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub(super) const RESTORE: CommandSpec = CommandSpec {
    name: "restore",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::OW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::KEYSPACE
        .or(Acl::WRITE)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::Effects,
    since: "2.6.0",
    summary: "Makes a key from a serialized value.",
    complexity: "O(N) where N is the size of the value.",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    ..CommandSpec::row(restore)
};

/// RESTORE-ASKING: RESTORE as a cluster node sends it while a slot moves.
pub(super) const RESTORE_ASKING: CommandSpec = CommandSpec {
    name: "restore-asking",
    flags: RESTORE.flags.or(Flags::ASKING),
    group: Group::Server,
    since: "3.0.0",
    summary: "Makes a key from a serialized value while its slot is being moved.",
    ..RESTORE
};

/// RESTORE's options.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(mut words: Words<'_>) -> Result<Self, CommandError> {
        let mut options = Options::default();
        while let Some(word) = words.next() {
            if is(word, "REPLACE") {
                options.replace = true;
            } else if is(word, "ABSTTL") {
                options.absolute = true;
            } else if is(word, "IDLETIME") && options.frequency.is_none() {
                let seconds = u64::try_from(integer(words.value()?)?);
                options.idle_seconds = Some(seconds.map_err(|_| INVALID_IDLETIME)?);
            } else if is(word, "FREQ") && options.idle_seconds.is_none() {
                let frequency = u8::try_from(integer(words.value()?)?);
                options.frequency = Some(frequency.map_err(|_| INVALID_FREQ)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// When the key was last used, as the access clock that runs now can say it.
    fn seen(&self, lfu: bool) -> Option<Seen> {
        match lfu {
            true => self.frequency.map(Seen::Frequency),
            false => self.idle_seconds.map(Seen::IdleSeconds),
        }
    }
}

const INVALID_IDLETIME: CommandError =
    CommandError::Fixed("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQ: CommandError =
    CommandError::Fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
const INVALID_TTL: CommandError = CommandError::Fixed("ERR Invalid TTL value, must be >= 0");
const BUSY_KEY: CommandError = CommandError::Fixed("BUSYKEY Target key name already exists.");
const BAD_FOOTER: CommandError =
    CommandError::Fixed("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: CommandError = CommandError::Fixed("ERR Bad data format");

fn restore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let options = Options::parse(Words::from(call.args, 4))?;
    let key = call.key(1);
    if !options.replace && call.unit.peek(key).is_some() {
        return Err(BUSY_KEY);
    }
    let ttl = integer(call.args.get(2))?;
    let deadline = deadline(ttl, options.absolute, call.unit.now_ms())?;
    let loaded =
        rdb::load(call.args.get(3), &call.settings.limits).map_err(|error| match error {
            rdb::DumpError::Footer => BAD_FOOTER,
            rdb::DumpError::Value(rdb::Malformed::Refused) => CommandError::Refused,
            rdb::DumpError::Value(_) => BAD_FORMAT,
        })?;

    if deadline.is_some_and(|deadline| deadline <= call.unit.expiry_ms()) {
        if call.unit.remove(key) {
            call.unit.log(&[b"DEL", key.bytes()]);
            call.unit.notify(EventClass::GENERIC, "del", key.bytes());
            call.unit.dirty(1);
        }
    } else {
        place(call, loaded, deadline)?;
        if let Some(seen) = options.seen(call.settings.lfu) {
            call.unit.set_seen(key, seen);
        }
        log(call, &options, deadline);
        call.unit
            .notify(EventClass::GENERIC, "restore", key.bytes());
        call.unit.dirty(1);
    }
    call.reply.ok();
    Ok(())
}

/// The moment at which the key is to expire; 0 is never.
fn deadline(ttl: i64, absolute: bool, now_ms: i64) -> Result<Option<i64>, CommandError> {
    match ttl {
        ..0 => Err(INVALID_TTL),
        0 => Ok(None),
        _ if absolute => Ok(Some(ttl)),
        _ => now_ms
            .checked_add(ttl)
            .map(Some)
            .ok_or(CommandError::InvalidExpire("restore")),
    }
}

fn place(
    call: &mut Call<'_, '_>,
    loaded: Loaded<'_>,
    deadline: Option<i64>,
) -> Result<(), CommandError> {
    let key = call.key(1);
    let at = deadline.map_or(Deadline::Clear, Deadline::At);
    let replaced = match (call.unit.slot(key), loaded) {
        (Slot::Vacant(slot), Loaded::String(loaded)) => {
            slot.insert_string(rdb::string::as_set(&loaded), deadline)?;
            false
        }
        (Slot::Vacant(slot), Loaded::Object(object)) => {
            slot.insert_object(object, deadline)?;
            false
        }
        (Slot::Occupied(mut slot), Loaded::String(loaded)) => {
            slot.set_string(rdb::string::as_set(&loaded), at)?;
            true
        }
        (Slot::Occupied(mut slot), Loaded::Object(object)) => {
            slot.set_object(object, at)?;
            true
        }
    };
    if replaced {
        // For Redis the old key goes and a new one comes.
        call.unit.notify(EventClass::NEW, "new", key.bytes());
    }
    Ok(())
}

/// Logs the request with its time as a moment, so that it means the same whenever it is read.
fn log(call: &mut Call<'_, '_>, options: &Options, deadline: Option<i64>) {
    if !call.unit.logging() {
        return;
    }
    let (Some(deadline), false) = (deadline, options.absolute) else {
        call.unit.log_verbatim(call.args.iter());
        return;
    };
    let mut buffer = [0; 20];
    let moment = resp::number::format_i64(deadline, &mut buffer);
    let mut words: Vec<&[u8]> = call.args.iter().collect();
    words[2] = moment;
    words.push(b"ABSTTL");
    call.unit.log(&words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(deadline(0, false, 1000), Ok(None));
        assert_eq!(deadline(0, true, 1000), Ok(None));
        assert_eq!(deadline(5, false, 1000), Ok(Some(1005)));
        assert_eq!(deadline(5, true, 1000), Ok(Some(5)));
        assert_eq!(deadline(-1, true, 1000), Err(INVALID_TTL));
        assert_eq!(deadline(i64::MAX, true, 1000), Ok(Some(i64::MAX)));
        assert_eq!(
            deadline(i64::MAX, false, 1),
            Err(CommandError::InvalidExpire("restore"))
        );
    }
}
