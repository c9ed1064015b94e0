//! The command logs (SLOWLOG, COMMANDLOG): commands that took long, requests and replies that were large,
//! newest first.
//!
//! **Invariant:** an entry holds at most 32 words of at most 128 bytes each, so a log's memory is
//! bounded by its `*-max-len` whatever clients send.
//!
//! Checked by: tests below.

use std::collections::VecDeque;

use parking_lot::Mutex;
use resp::Args;

/// Words kept of one command.
const WORDS_MAX: usize = 32;
/// Bytes kept of one word.
const WORD_BYTES_MAX: usize = 128;

/// One command that stood out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Rises by one with each entry.
    pub id: u64,
    /// Wall clock, seconds.
    pub unix_s: i64,
    /// How long it took, µs, or how many bytes it had.
    pub value: u64,
    /// Its words, cut.
    pub words: Vec<Box<[u8]>>,
    /// The client's address.
    pub peer: Box<str>,
    /// The client's name.
    pub name: Box<[u8]>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Slowlog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    len_max: usize,
    /// Newest first.
    entries: VecDeque<LogEntry>,
}

impl Slowlog {
    /// `slowlog-max-len` and its siblings.
    pub(crate) fn set_len_max(&self, len_max: u64) {
        let mut inner = self.inner.lock();
        inner.len_max = usize::try_from(len_max).unwrap_or(usize::MAX);
        let len_max = inner.len_max;
        inner.entries.truncate(len_max);
    }

    /// Enters a command; words whose index `hidden` names are not told.
    pub fn enter(
        &self,
        args: Args<'_>,
        hidden: impl Fn(usize) -> bool,
        unix_s: i64,
        value: u64,
        peer: &io::Address,
        name: &[u8],
    ) {
        let words = shorten(args, hidden);
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let entry = LogEntry {
            id,
            unix_s,
            value,
            words,
            peer: peer.to_string().into(),
            name: name.into(),
        };
        inner.entries.push_front(entry);
        let len_max = inner.len_max;
        inner.entries.truncate(len_max);
    }

    /// The newest `count` entries, newest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.inner
            .lock()
            .entries
            .iter()
            .take(count)
            .cloned()
            .collect()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SLOWLOG RESET.
    pub fn clear(&self) {
        self.inner.lock().entries.clear();
    }
}

fn shorten(args: Args<'_>, hidden: impl Fn(usize) -> bool) -> Vec<Box<[u8]>> {
    let shown = if args.len() > WORDS_MAX {
        WORDS_MAX - 1
    } else {
        args.len()
    };
    let mut words: Vec<Box<[u8]>> = (0..shown)
        .map(|i| {
            let word = args.get(i);
            if hidden(i) {
                b"(redacted)".as_slice().into()
            } else if word.len() > WORD_BYTES_MAX {
                let more = format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX);
                [&word[..WORD_BYTES_MAX], more.as_bytes()].concat().into()
            } else {
                word.into()
            }
        })
        .collect();
    if args.len() > shown {
        words.push(
            format!("... ({} more arguments)", args.len() - shown)
                .into_bytes()
                .into(),
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::OwnedArgs;

    fn words(request: &[String], hidden: impl Fn(usize) -> bool) -> Vec<String> {
        shorten(OwnedArgs::from_slices(request).as_args(), hidden)
            .into_iter()
            .map(|word| String::from_utf8(word.into()).expect("text"))
            .collect()
    }

    #[test]
    fn long_requests_are_cut_as_redis_cuts_them() {
        let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let cut = words(&many, |_| false);
        assert_eq!(cut.len(), 32);
        assert_eq!(cut[30..], ["30", "... (9 more arguments)"]);
        let long = words(&["x".repeat(130)], |_| false);
        assert_eq!(long, [format!("{}... (2 more bytes)", "x".repeat(128))]);
        let secret = words(&["auth".to_owned(), "pass".to_owned()], |i| i > 0);
        assert_eq!(secret, ["auth", "(redacted)"]);
    }

    #[test]
    fn the_log_keeps_the_newest() {
        let log = Slowlog::default();
        log.set_len_max(2);
        let peer = io::Address::Ip("127.0.0.1:1".parse().expect("an address"));
        for n in 0..5 {
            let args = OwnedArgs::from_slices(&["get"]);
            log.enter(args.as_args(), |_| false, n, 1, &peer, b"");
        }
        let ids: Vec<u64> = log.newest(10).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [4, 3]);
        log.set_len_max(1);
        assert_eq!(log.len(), 1);
        log.clear();
        assert!(log.is_empty());
    }
}
