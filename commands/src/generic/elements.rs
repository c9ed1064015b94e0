//! SSCAN, HSCAN, ZSCAN: a walk over the elements of one key. Options and reply are the same for all;
//! how the container is walked is its own business.

use collections::listpack::Element;
use resp::{Args, Reply};

use super::walk::parse_cursor;
use crate::CommandError;
use crate::args::{Words, integer, is};
use crate::glob::{Case, Pattern};

/// One step of a walk.
pub(crate) struct Walk {
    /// Where it goes on.
    pub(crate) cursor: u64,
    /// About how many elements are to be looked at.
    pub(crate) count: usize,
    /// The words without a value of their own that the command knows and the client has sent.
    pub(crate) given: Option<&'static str>,
    pattern: Option<Pattern>,
    /// What is shown, end to end: the cursor is known last and stands first.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Walk {
    /// Reads `key cursor [MATCH pattern] [COUNT count]`; `flags` are words that stand by themselves
    /// (`NOVALUES`).
    pub(crate) fn parse(args: Args<'_>, flags: &[&'static str]) -> Result<Walk, CommandError> {
        let mut walk = Walk {
            cursor: parse_cursor(args.get(2))?,
            count: 10,
            given: None,
            pattern: None,
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        let mut words = Words::from(args, 3);
        while let Some(word) = words.next() {
            if is(word, "COUNT") {
                let count = integer(words.value()?)?;
                if count < 1 {
                    return Err(CommandError::Syntax);
                }
                walk.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if is(word, "MATCH") {
                let pattern = Pattern::new(words.value()?, Case::Sensitive);
                walk.pattern = (!pattern.is_all()).then_some(pattern);
            } else if let Some(flag) = flags.iter().find(|flag| is(word, flag)) {
                walk.given = Some(flag);
            } else if is(word, "NOVALUES") {
                let text = "ERR NOVALUES option can only be used in HSCAN";
                return Err(CommandError::Fixed(text));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(walk)
    }

    /// Judges the cursor alone, for a command that looks at the key before it reads the options.
    pub(crate) fn check_cursor(args: Args<'_>) -> Result<(), CommandError> {
        parse_cursor(args.get(2)).map(|_| ())
    }

    /// The reply for a key that does not exist.
    pub(crate) fn nothing(reply: &mut Reply) {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
    }

    /// Whether an element of this name is wanted.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(name))
    }

    /// Shows one string.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// Says what has been shown and where to go on.
    pub(crate) fn reply(&self, next: u64, reply: &mut Reply) {
        reply.array(2);
        reply.bulk(resp::number::format_u64(next, &mut [0; 20]));
        reply.array(self.ends.len());
        let mut begin = 0;
        for &end in &self.ends {
            reply.bulk(&self.bytes[begin..end]);
            begin = end;
        }
    }
}

/// An element of a container as a bulk string.
pub(crate) fn write_element(element: Element<'_>, reply: &mut Reply) {
    match element {
        Element::Int(int) => reply.bulk_int(int),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}
