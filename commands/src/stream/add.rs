//! XADD.

use store::value::stream::{Stream, StreamId};
use store::{EventClass, Limits, Slot};

use super::id::{IdText, NewId};
use super::options::{Command, Logged, Options};
use crate::args::wrong_arity;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED]
/// [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]
///
/// Adds an entry, then trims as XTRIM does.
pub(super) const XADD: CommandSpec = CommandSpec {
    name: "xadd",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Adds an entry to a stream.",
    complexity: "O(1) when adding, O(N) when N entries are trimmed.",
    syntax: "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(xadd)
};

/// What an entry's fields may take together: Redis's bound on a node.
const FIELDS_BYTES_MAX: usize = 1 << 30;

const NOT_ABOVE: CommandError = CommandError::Fixed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);

fn xadd(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let limits = &call.settings.limits;
    let options = Options::parse(call.args, Command::Xadd, limits)?;
    let Some((id, at)) = options.id else {
        return Err(wrong_arity("xadd"));
    };
    let words = call.args.skip(at + 1);
    if words.is_empty() || words.len() % 2 == 1 {
        return Err(wrong_arity("xadd"));
    }
    if id == NewId::Exactly(StreamId::MIN) {
        return Err(CommandError::Fixed(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let fields = (0..words.len() / 2).map(|at| (words.get(2 * at), words.get(2 * at + 1)));

    let key = call.key(1);
    let now_ms = call.unit.now_ms();
    let logging = call.unit.logging();
    // The entry, what was trimmed, and how the log says it.
    let add = |stream: &mut Stream| {
        let id = append(stream, id, now_ms, fields, limits)?;
        let mut trimmed = (0, None);
        if let Some(trim) = &options.trim {
            trimmed.0 = stream.trim(trim)?;
            trimmed.1 = logging.then(|| Logged::of(trim, stream));
        }
        Ok::<_, CommandError>((id, trimmed))
    };
    let (id, (trimmed, logged)) = match call.unit.slot(key) {
        Slot::Vacant(_) if options.no_stream => {
            call.reply.null();
            return Ok(());
        }
        Slot::Vacant(at) => {
            let mut stream = Stream::new();
            let added = add(&mut stream)?;
            at.insert(stream, None)?;
            added
        }
        Slot::Occupied(mut at) => {
            at.edit(|stream: &mut Stream| Ok::<_, CommandError>((add(stream)?, true)))?
        }
    };
    let text = IdText::of(id);
    call.unit.notify(EventClass::STREAM, "xadd", key.bytes());
    if trimmed > 0 {
        call.unit.notify(EventClass::STREAM, "xtrim", key.bytes());
    }
    call.unit.dirty(1);
    if logging {
        let mut effect = vec![b"XADD".as_slice(), key.bytes()];
        if let Some(logged) = &logged {
            logged.push_to(&mut effect);
        }
        effect.push(text.as_bytes());
        effect.extend(words.iter());
        call.unit.log(&effect);
    }
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// Gives the entry its id and puts it in.
fn append<'f>(
    stream: &mut Stream,
    id: NewId,
    now_ms: i64,
    fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    limits: &Limits,
) -> Result<StreamId, CommandError> {
    let last = stream.last_id();
    if last == StreamId::MAX {
        return Err(CommandError::Fixed(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = id.behind(last, now_ms).ok_or(NOT_ABOVE)?;
    let bytes = fields.clone().map(|(name, value)| name.len() + value.len());
    if bytes.sum::<usize>() > FIELDS_BYTES_MAX {
        return Err(CommandError::Fixed(
            "ERR Elements are too large to be stored",
        ));
    }
    stream.append(id, fields, limits)?;
    Ok(id)
}
