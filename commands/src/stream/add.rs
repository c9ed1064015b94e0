//! XADD. What it remembers of producers (IDMP): `store/src/value/stream/producers.rs`.

use resp::Args;
use store::value::stream::{Claim, Stream, StreamId};
use store::{EventClass, Key, Limits, Slot};

use super::id::{IdText, NewId};
use super::options::{Command, Logged, Options};
use super::producer::id_of_fields;
use crate::args::wrong_arity;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer-id | IDMP producer-id
/// idempotent-id] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]
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
    syntax: "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer-id | IDMP producer-id idempotent-id] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
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
    let of_fields;
    let own_id = match options.producer {
        Some((producer, Some(own_id))) => Some((producer, own_id)),
        Some((producer, None)) => {
            of_fields = id_of_fields(words);
            Some((producer, of_fields.as_slice()))
        }
        None => None,
    };
    let add = |stream: &mut Stream| {
        let claim = own_id.map(|(producer, own_id)| Claim::new(producer, own_id));
        let claim = claim.transpose()?;
        let id = append(stream, id, now_ms, fields, limits)?;
        let mut added = Added {
            id,
            trimmed: 0,
            logged: None,
            is_claimed: claim.is_some(),
        };
        if let Some(trim) = &options.trim {
            added.trimmed = stream.trim(trim)?;
            added.logged = logging.then(|| Logged::of(trim, stream));
        }
        if let Some(claim) = claim {
            stream.remember(claim, id, now_ms, limits);
            // It may have been trimmed at once; then XIDMPRECORD would find nothing.
            added.is_claimed = stream.get(id).is_some();
        }
        Ok::<_, CommandError>(added)
    };
    let added = match call.unit.slot(key) {
        Slot::Vacant(_) if options.no_stream => {
            call.reply.null();
            return Ok(());
        }
        Slot::Vacant(at) => {
            let mut stream = Stream::new();
            let added = add(&mut stream)?;
            at.insert(stream, None)?;
            Ok(added)
        }
        Slot::Occupied(mut at) => at.edit(|stream: &mut Stream| {
            if let Some(known) = sent_before(stream, own_id, now_ms, limits) {
                return Ok((Err(known), false));
            }
            Ok::<_, CommandError>((Ok(add(stream)?), true))
        })?,
    };
    match added {
        Err(known) => call.reply.bulk(IdText::of(known).as_bytes()),
        Ok(added) => report(call, key, &added, own_id, words),
    }
    Ok(())
}

/// An entry that was added.
struct Added {
    id: StreamId,
    trimmed: u64,
    /// How the log says the trim.
    logged: Option<Logged>,
    /// Whether the log says under which id of its producer's.
    is_claimed: bool,
}

/// The entry that this producer has added under this id already; counted.
fn sent_before(
    stream: &mut Stream,
    own_id: Option<(&[u8], &[u8])>,
    now_ms: i64,
    limits: &Limits,
) -> Option<StreamId> {
    let (producer, own_id) = own_id?;
    let known = stream.producers()?.find(producer, own_id, now_ms)?;
    stream.count_duplicate(limits);
    Some(known)
}

/// Events, count, log and reply of an entry that was added.
fn report(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    added: &Added,
    own_id: Option<(&[u8], &[u8])>,
    words: Args<'_>,
) {
    let text = IdText::of(added.id);
    call.unit.notify(EventClass::STREAM, "xadd", key.bytes());
    if added.trimmed > 0 {
        call.unit.notify(EventClass::STREAM, "xtrim", key.bytes());
    }
    call.unit.dirty(1);
    if call.unit.logging() {
        let mut effect = vec![b"XADD".as_slice(), key.bytes()];
        if let Some(logged) = &added.logged {
            logged.push_to(&mut effect);
        }
        effect.push(text.as_bytes());
        effect.extend(words.iter());
        call.unit.log(&effect);
        if let Some((producer, own_id)) = own_id.filter(|_| added.is_claimed) {
            let id = text.as_bytes();
            call.unit
                .log(&[b"XIDMPRECORD", key.bytes(), producer, own_id, id]);
        }
    }
    call.reply.bulk(text.as_bytes());
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
