//! An entry's id: milliseconds, and a number that tells those of one millisecond apart.

use std::fmt;

/// An entry's id, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970, as a rule.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// 0-0, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The last one.
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The id behind this one; none behind the last.
    #[must_use]
    pub fn next(self) -> Option<StreamId> {
        match (self.ms, self.seq.checked_add(1)) {
            (ms, Some(seq)) => Some(StreamId { ms, seq }),
            (ms, None) => Some(StreamId {
                ms: ms.checked_add(1)?,
                seq: 0,
            }),
        }
    }

    /// The id before this one; none before the first.
    #[must_use]
    pub fn prev(self) -> Option<StreamId> {
        match (self.ms, self.seq.checked_sub(1)) {
            (ms, Some(seq)) => Some(StreamId { ms, seq }),
            (ms, None) => Some(StreamId {
                ms: ms.checked_sub(1)?,
                seq: u64::MAX,
            }),
        }
    }

    /// Whether this is 0-0.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == StreamId::MIN
    }
}

impl From<StreamId> for u128 {
    #[inline]
    fn from(id: StreamId) -> u128 {
        (u128::from(id.ms) << 64) | u128::from(id.seq)
    }
}

impl From<u128> for StreamId {
    #[inline]
    fn from(id: u128) -> StreamId {
        // The halves of a number, neither loses anything.
        StreamId {
            ms: (id >> 64) as u64,
            seq: id as u64,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours() {
        let id = |ms, seq| StreamId { ms, seq };
        for (low, high) in [
            (id(0, 0), id(0, 1)),
            (id(7, u64::MAX), id(8, 0)),
            (id(u64::MAX, 4), id(u64::MAX, 5)),
        ] {
            assert_eq!(low.next(), Some(high));
            assert_eq!(high.prev(), Some(low));
            assert_eq!(StreamId::from(u128::from(high)), high);
            assert!(u128::from(low) < u128::from(high));
        }
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.prev(), None);
    }
}
