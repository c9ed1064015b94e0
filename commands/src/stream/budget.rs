//! What a reply may hold: MAXCOUNT and MAXSIZE bound all streams of a request together, where COUNT
//! bounds each.
//!
//! Entries are written and then measured, as they go over the wire; the one that is too much is taken
//! back. The first is never too much: whoever reads must get on.

use resp::Reply;
use store::value::stream::Entry;

use super::id::write_entry;

/// What may still be said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    entries: u64,
    bytes: usize,
    is_untouched: bool,
}

/// An entry takes at least this: `*2 $3 0-1 *2 $0 $0`, with its line ends.
const ENTRY_BYTES_MIN: u64 = 31;

impl Budget {
    /// At most so many entries, and so many bytes. `None`: any number.
    pub(super) fn new(entries: Option<u64>, bytes: Option<u64>) -> Budget {
        let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Budget {
            entries: entries.unwrap_or(u64::MAX),
            bytes: bytes.unwrap_or(usize::MAX),
            is_untouched: true,
        }
    }

    /// Whether there is room for nothing more.
    pub(super) fn is_spent(&self) -> bool {
        self.entries == 0 || self.bytes == 0
    }

    /// More entries than these cannot come.
    pub(super) fn entries_max(&self) -> u64 {
        self.entries.min(self.bytes as u64 / ENTRY_BYTES_MIN + 1)
    }

    /// Lets `write` write an entry, and takes it back if it is too much; whether it stands.
    #[inline]
    pub(super) fn write(&mut self, reply: &mut Reply, write: impl FnOnce(&mut Reply)) -> bool {
        if self.is_spent() {
            return false;
        }
        let before = reply.mark();
        write(reply);
        let bytes = reply.len_since(before);
        if bytes > self.bytes && !self.is_untouched {
            reply.truncate_to(before);
            self.bytes = 0;
            return false;
        }
        self.is_untouched = false;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.entries -= 1;
        true
    }
}

/// Up to `count` entries (0: all) within the budget; how many there were.
pub(super) fn write_within<'s>(
    entries: impl Iterator<Item = Entry<'s>>,
    count: u64,
    budget: &mut Budget,
    reply: &mut Reply,
) -> usize {
    let count = match usize::try_from(count) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    };
    let place = reply.defer();
    let mut written = 0;
    for entry in entries.take(count) {
        if !budget.write(reply, |reply| write_entry(entry, reply)) {
            break;
        }
        written += 1;
    }
    reply.finish_array(place, written);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of several entries of these sizes stand.
    fn check(entries: Option<u64>, bytes: Option<u64>, sizes: &[usize], expected: usize) {
        let mut budget = Budget::new(entries, bytes);
        let mut reply = Reply::new(resp::Proto::Resp2);
        let write =
            |size: &&usize| budget.write(&mut reply, |reply| reply.raw(&vec![b'x'; **size]));
        assert_eq!(sizes.iter().take_while(write).count(), expected);
        let stands: usize = sizes[..expected].iter().sum();
        assert_eq!(reply.len(), stands, "what was too much is taken back");
    }

    #[test]
    fn both_bounds_hold_and_the_first_entry_always_stands() {
        check(None, None, &[10; 50], 50);
        check(Some(3), None, &[10; 50], 3);
        check(None, Some(35), &[10; 50], 3);
        check(None, Some(30), &[10; 50], 3);
        check(Some(2), Some(30), &[10; 50], 2);
        check(None, Some(5), &[10; 50], 1);
        check(None, Some(15), &[5, 100, 5], 1);
    }
}
