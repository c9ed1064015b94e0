//! The options that XADD and XTRIM share: what is cut off, and what becomes of references.

use resp::Args;
use store::Limits;
use store::value::stream::{Bound, References, Stream, StreamId, Trim};

use super::id::{self, IdText, NewId};
use crate::CommandError;
use crate::args::{integer, is};

/// What was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    /// What to cut off.
    pub(super) trim: Option<Trim>,
    /// NOMKSTREAM.
    pub(super) no_stream: bool,
    /// XADD's id and the word that it is.
    pub(super) id: Option<(NewId, usize)>,
    /// IDMP and IDMPAUTO: the producer, and its id for the entry unless the fields are to give it.
    pub(super) producer: Option<(&'a [u8], Option<&'a [u8]>)>,
}

/// Whose options they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Xadd,
    Xtrim,
}

const TWO_BOUNDS: CommandError = CommandError::Fixed(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);

const LIMIT_WITHOUT_ROUGH: CommandError =
    CommandError::Fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");

impl<'a> Options<'a> {
    /// Reads the words from the third on, XADD's up to its id.
    pub(super) fn parse(
        args: Args<'a>,
        command: Command,
        limits: &Limits,
    ) -> Result<Options<'a>, CommandError> {
        let mut options = Options {
            trim: None,
            no_stream: false,
            id: None,
            producer: None,
        };
        let is_xadd = command == Command::Xadd;
        let (mut bound, mut is_rough, mut limit) = (None, false, None);
        let mut policy = None;
        let mut at = 2;
        while let Some(word) = args.try_get(at) {
            let more = args.len() - at - 1;
            if is_xadd && word == b"*" {
                options.id = Some((NewId::Auto, at));
                break;
            }
            if more > 0 && (is(word, "MAXLEN") || is(word, "MINID")) {
                if bound.is_some() {
                    return Err(TWO_BOUNDS);
                }
                is_rough = more > 1 && args.get(at + 1) == b"~";
                if is_rough || more > 1 && args.get(at + 1) == b"=" {
                    at += 1;
                }
                at += 1;
                bound = Some(parse_bound(is(word, "MAXLEN"), args.get(at))?);
            } else if more > 0 && is(word, "LIMIT") {
                at += 1;
                let value = integer(args.get(at))?;
                let text = "ERR The LIMIT argument must be >= 0.";
                limit = Some(u64::try_from(value).map_err(|_| CommandError::Fixed(text))?);
            } else if is_xadd && is(word, "NOMKSTREAM") {
                options.no_stream = true;
            } else if is_xadd && is(word, "IDMPAUTO") && more > 0 {
                at += 1;
                let producer = args.get(at);
                options.set_producer(producer, None, "IDMPAUTO")?;
            } else if is_xadd && is(word, "IDMP") && more > 1 {
                at += 2;
                let (producer, own_id) = (args.get(at - 1), args.get(at));
                options.set_producer(producer, Some(own_id), "IDMP")?;
            } else if let Some(references) = id::references(word) {
                if policy.replace(references).is_some() {
                    return Err(CommandError::Syntax);
                }
            } else if is_xadd {
                options.id = Some((NewId::parse(word)?, at));
                if options.producer.is_some() {
                    return Err(CommandError::Fixed(
                        "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
                    ));
                }
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        if !is_xadd && bound.is_none() && limit.unwrap_or(0) == 0 {
            return Err(CommandError::Fixed(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        options.trim = trim(bound, is_rough, limit, policy.unwrap_or_default(), limits)?;
        Ok(options)
    }
}

impl<'a> Options<'a> {
    fn set_producer(
        &mut self,
        producer: &'a [u8],
        own_id: Option<&'a [u8]>,
        option: &str,
    ) -> Result<(), CommandError> {
        if self.producer.is_some() {
            return Err(CommandError::Fixed(
                "ERR IDMP/IDMPAUTO specified multiple times",
            ));
        }
        let missing = if producer.is_empty() {
            Some("producer ID")
        } else if own_id.is_some_and(<[u8]>::is_empty) {
            Some("idempotent ID")
        } else {
            None
        };
        if let Some(missing) = missing {
            let text = format!("ERR {option} requires a non-empty {missing}");
            return Err(CommandError::Text(text.into()));
        }
        self.producer = Some((producer, own_id));
        Ok(())
    }
}

fn parse_bound(is_len: bool, word: &[u8]) -> Result<Bound, CommandError> {
    if !is_len {
        return id::parse_strict(word, 0).map(Bound::MinId);
    }
    let text = "ERR The MAXLEN argument must be >= 0.";
    u64::try_from(integer(word)?)
        .map(Bound::MaxLen)
        .map_err(|_| CommandError::Fixed(text))
}

/// Puts together what was said about trimming.
fn trim(
    bound: Option<Bound>,
    is_rough: bool,
    limit: Option<u64>,
    references: References,
    limits: &Limits,
) -> Result<Option<Trim>, CommandError> {
    let Some(bound) = bound else {
        return match limit {
            None => Ok(None),
            Some(0) => Err(LIMIT_WITHOUT_ROUGH),
            Some(_) => Err(CommandError::Fixed(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            )),
        };
    };
    let limit = match limit {
        Some(_) if !is_rough => return Err(LIMIT_WITHOUT_ROUGH),
        Some(limit) => limit,
        // Unasked, a rough trim takes a hundred nodes at most, lest it takes long.
        None if is_rough => match limits.stream_node_max_entries.saturating_mul(100) {
            0 => 10_000,
            limit => limit.min(1_000_000),
        },
        None => 0,
    };
    Ok(Some(Trim {
        bound,
        is_rough,
        limit,
        references,
    }))
}

/// A trim as the change log repeats it: how much a rough one cut off, exactly.
pub(super) struct Logged {
    word: &'static str,
    bound: IdText,
    references: Option<&'static str>,
}

impl Logged {
    /// What `trim` has done to `stream`.
    pub(super) fn of(trim: &Trim, stream: &Stream) -> Logged {
        let bound = match trim.bound {
            Bound::MaxLen(_) if trim.is_rough => Bound::MaxLen(store::Container::len(stream)),
            Bound::MinId(_) if trim.is_rough => match stream.first_id() {
                StreamId::MIN => Bound::MinId(StreamId::MAX),
                first => Bound::MinId(first),
            },
            exact => exact,
        };
        let (word, bound) = match bound {
            Bound::MaxLen(max) => ("MAXLEN", IdText::of_number(max)),
            Bound::MinId(min) => ("MINID", IdText::of(min)),
        };
        let references = match trim.references {
            // What older servers do anyway.
            References::Keep => None,
            References::Delete => Some("DELREF"),
            References::Acked => Some("ACKED"),
        };
        Logged {
            word,
            bound,
            references,
        }
    }

    /// Adds its words.
    pub(super) fn push_to<'w>(&'w self, words: &mut Vec<&'w [u8]>) {
        words.extend([self.word.as_bytes(), b"=", self.bound.as_bytes()]);
        words.extend(self.references.map(str::as_bytes));
    }
}
