//! What an entry holds: a number or bytes. Both are the same thing to a client, so equality and
//! order go by the spelling.

use std::cmp::Ordering;

use crate::integer::{self, Spelled};

/// A value, borrowed from a listpack or on its way into one.
///
/// `Bytes` may spell an integer: on the way in that is the usual form (the listpack recognises it),
/// on the way out it happens only in foreign listpacks.
#[derive(Clone, Copy, Debug)]
pub enum Element<'e> {
    /// A number, which stands for its spelling.
    Int(i64),
    /// Any bytes.
    Bytes(&'e [u8]),
}

impl<'e> Element<'e> {
    /// The bytes that a client sees; a number is spelled into `buf`.
    #[inline]
    #[must_use]
    pub fn bytes<'b>(self, buf: &'b mut Spelled) -> &'b [u8]
    where
        'e: 'b,
    {
        match self {
            Self::Int(value) => integer::spell(value, buf),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The number that this is or spells.
    #[inline]
    #[must_use]
    pub fn int(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Bytes(bytes) => integer::parse(bytes),
        }
    }

    /// The form in which a listpack stores it: a number wherever the bytes spell one.
    #[inline]
    #[must_use]
    pub fn canonical(self) -> Self {
        self.int().map_or(self, Self::Int)
    }

    /// How many bytes a client sees.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Int(value) => integer::spelled_len(value),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether a client sees no bytes at all.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether a client sees these bytes. Formats nothing.
    #[inline]
    #[must_use]
    pub fn eq_bytes(self, other: &[u8]) -> bool {
        match self {
            Self::Int(value) => integer::parse(other) == Some(value),
            Self::Bytes(bytes) => bytes == other,
        }
    }

    /// The order of the spellings, byte by byte.
    #[must_use]
    pub fn cmp_bytes(self, other: &[u8]) -> Ordering {
        self.bytes(&mut [0; 20]).cmp(other)
    }

    /// The bytes in an allocation of their own.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut [0; 20]).to_vec()
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (element, Self::Bytes(bytes)) | (Self::Bytes(bytes), element) => {
                element.eq_bytes(bytes)
            }
        }
    }
}

impl Eq for Element<'_> {}

impl PartialOrd for Element<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Element<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_bytes(other.bytes(&mut [0; 20]))
    }
}

impl From<i64> for Element<'_> {
    #[inline]
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'e> From<&'e [u8]> for Element<'e> {
    #[inline]
    fn from(bytes: &'e [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'e> From<&'e Vec<u8>> for Element<'e> {
    #[inline]
    fn from(bytes: &'e Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'e, const N: usize> From<&'e [u8; N]> for Element<'e> {
    #[inline]
    fn from(bytes: &'e [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_decides() {
        assert_eq!(Element::Int(12), Element::Bytes(b"12"));
        assert_ne!(Element::Int(12), Element::Bytes(b"012"));
        assert_eq!(Element::Int(-5).len(), 2);
        assert!(Element::Int(100) < Element::Int(9), "bytes, not numbers");
        assert!(Element::Bytes(b"") < Element::Int(0));
        assert_eq!(Element::from(b"77").canonical().int(), Some(77));
        assert_eq!(Element::from(b"7x").int(), None);
        assert!(matches!(Element::from(b"77").canonical(), Element::Int(77)));
    }
}
