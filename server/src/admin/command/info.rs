//! COMMAND and COMMAND INFO: a row as ten values.
//!
//!   name  arity  {flags}  first  last  step  {@categories}  {tips}  {key ranges}  {subcommands}
//!
//! The three numbers are what clients knew before there were key ranges. They are worked out from the
//! ranges (`legacy`): of the ranges at fixed places whatever can be said as one run, zeros for none;
//! where they leave out a key, `movablekeys` says so. Flags that only other servers' machinery knows
//! are not shown.

use commands::CommandError;
use commands::spec::{Begin, Find, Flags, KeyAt, Keys};
use resp::Reply;

use super::named;
use crate::admin::AdminCall;
use crate::table::{Command, CommandTable};

/// Flags that Redis keeps to itself.
const HIDDEN: Flags = Flags::SENTINEL
    .or(Flags::ONLY_SENTINEL)
    .or(Flags::MAY_REPLICATE)
    .or(Flags::TOUCHES_ARBITRARY_KEYS)
    .or(Flags::ALL_DBS);

/// COMMAND.
pub(super) fn all(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let table = &call.server.commands;
    call.reply.array(table.callable().count());
    for (_, command) in table.callable() {
        put(call.reply, table, command);
    }
    Ok(())
}

/// COMMAND INFO.
pub(super) fn some(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.args.len() == 2 {
        return all(call);
    }
    let table = &call.server.commands;
    call.reply.array(call.args.len() - 2);
    for word in call.args.skip(2) {
        match named(table, word) {
            Some(command) => put(call.reply, table, command),
            None => call.reply.null(),
        }
    }
    Ok(())
}

fn put(reply: &mut Reply, table: &CommandTable, command: &Command) {
    let spec = &command.spec;
    let ranges = ranges(spec.keys);
    let legacy = legacy(ranges);
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.int(spec.arity.signed());
    put_words(reply, &shown_flags(spec.flags, ranges), "");
    reply.int(legacy.first);
    reply.int(legacy.last);
    reply.int(legacy.step);
    put_words(reply, &spec.acl.words().collect::<Vec<_>>(), "@");
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(ranges.len());
    for range in ranges {
        put_range(reply, range);
    }
    reply.set(command.subcommands.len());
    for &sub in &command.subcommands {
        put(reply, table, table.command(sub));
    }
}

fn ranges(keys: Keys) -> &'static [KeyAt] {
    match keys {
        Keys::None => &[],
        Keys::At(ranges) => ranges,
    }
}

fn put_words(reply: &mut Reply, words: &[&str], mark: &str) {
    reply.set(words.len());
    for word in words {
        reply.simple(format!("{mark}{word}").as_bytes());
    }
}

/// The words of a row's flags. `movablekeys` is worked out: some key is not at a fixed place.
fn shown_flags(flags: Flags, ranges: &[KeyAt]) -> Vec<&'static str> {
    let mut shown = Flags(flags.0 & !HIDDEN.0);
    if !ranges.iter().all(is_fixed) {
        shown = shown.or(Flags::MOVABLE_KEYS);
    }
    shown.words().collect()
}

fn is_fixed(range: &KeyAt) -> bool {
    matches!(
        (range.begin, range.find),
        (Begin::Index(_), Find::Range { .. })
    )
}

/// First key, last key, step; the last one negative from the end.
#[derive(Debug, PartialEq, Eq)]
struct Legacy {
    first: i64,
    last: i64,
    step: i64,
}

/// The one run that old clients can be told.
fn legacy(ranges: &[KeyAt]) -> Legacy {
    const NONE: Legacy = Legacy {
        first: 0,
        last: 0,
        step: 0,
    };
    let mut run: Option<Legacy> = None;
    for range in ranges {
        let (Begin::Index(first), Find::Range { last, step, .. }) = (range.begin, range.find)
        else {
            continue;
        };
        let (first, mut last) = (i64::from(first), i64::from(last));
        if last >= 0 {
            last += first;
        }
        let step = i64::from(step);
        run = Some(match run {
            None => Legacy { first, last, step },
            // Two runs make one only where the second goes on where the first ends.
            Some(run) if run.step != 1 || step != 1 || run.last != first - 1 => return NONE,
            Some(run) => Legacy { last, ..run },
        });
    }
    run.unwrap_or(NONE)
}

fn put_range(reply: &mut Reply, range: &KeyAt) {
    reply.map(3);
    reply.bulk(b"flags");
    put_words(reply, &range.access.words().collect::<Vec<_>>(), "");
    reply.bulk(b"begin_search");
    match range.begin {
        Begin::Index(index) => put_part(reply, "index", &[("index", index.into())]),
        Begin::Keyword { word, from } => {
            put_head(reply, "keyword");
            reply.map(2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.int(from.into());
        }
    }
    reply.bulk(b"find_keys");
    match range.find {
        Find::Range { last, step, limit } => put_part(
            reply,
            "range",
            &[
                ("lastkey", last.into()),
                ("keystep", step.into()),
                ("limit", limit.into()),
            ],
        ),
        Find::KeyNum { at, first, step } => put_part(
            reply,
            "keynum",
            &[
                ("keynumidx", at.into()),
                ("firstkey", first.into()),
                ("keystep", step.into()),
            ],
        ),
    }
}

fn put_head(reply: &mut Reply, kind: &str) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
}

fn put_part(reply: &mut Reply, kind: &str, numbers: &[(&str, i64)]) {
    put_head(reply, kind);
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(*number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commands::spec::KeyFlags;

    #[test]
    fn old_clients_are_told_one_run() {
        let check = |ranges: &[KeyAt], first, last, step| {
            assert_eq!(legacy(ranges), Legacy { first, last, step }, "{ranges:?}");
        };
        check(&[], 0, 0, 0);
        check(&[KeyAt::read(1)], 1, 1, 1);
        check(&[KeyAt::read(1).to(-1, 2)], 1, -1, 2);
        check(&[KeyAt::read(1).to(1, 1)], 1, 2, 1);
        // SMOVE, LMOVE: neighbours; BITOP: a run to the end.
        check(&[KeyAt::read(1), KeyAt::overwrite(2)], 1, 2, 1);
        check(&[KeyAt::overwrite(2), KeyAt::read(3).to(-1, 1)], 2, -1, 1);
        check(&[KeyAt::read(1), KeyAt::read(3)], 0, 0, 0);
        // ZUNIONSTORE: what is counted cannot be said. EVAL: nothing else is there.
        let counted = KeyAt::counted(2, KeyFlags::RW);
        check(&[KeyAt::overwrite(1), counted], 1, 1, 1);
        check(&[counted], 0, 0, 0);
    }

    #[test]
    fn keys_that_move_are_flagged_and_what_is_internal_is_not() {
        let fixed = [KeyAt::read(1)];
        let flags = Flags::WRITE.or(Flags::SENTINEL).or(Flags::MAY_REPLICATE);
        assert_eq!(shown_flags(flags, &fixed), ["write"]);
        let counted = [KeyAt::counted(2, KeyFlags::RW)];
        assert_eq!(shown_flags(Flags::FAST, &counted), ["fast", "movablekeys"]);
    }
}
