//! BY and GET: from a pattern and an element to a string.
//!
//! ```text
//!   #              the element itself
//!   user_*         the string under the key in which the element stands in the place of the first *
//!   user_*->name   the field of the hash under that key
//!   nothing        no *: leads nowhere
//! ```

use store::{Hash, ValueRef};

use crate::Call;

/// A pattern, taken apart.
pub(super) enum Pattern<'a> {
    /// `#`
    Itself,
    /// No `*`.
    Nowhere,
    /// A key, and perhaps a field.
    Key {
        before: &'a [u8],
        behind: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

/// Whether a word is a pattern of keys.
pub(super) fn leads_to_keys(word: &[u8]) -> bool {
    word.contains(&b'*')
}

impl<'a> Pattern<'a> {
    pub(super) fn of(word: &'a [u8]) -> Pattern<'a> {
        if word == b"#" {
            return Pattern::Itself;
        }
        let Some(star) = word.iter().position(|&byte| byte == b'*') else {
            return Pattern::Nowhere;
        };
        let (before, behind) = (&word[..star], &word[star + 1..]);
        let arrow = behind.windows(2).position(|two| two == b"->");
        // An arrow at the very end is part of the key.
        let (behind, field) = match arrow {
            Some(at) if at + 2 < behind.len() => (&behind[..at], Some(&behind[at + 2..])),
            _ => (behind, None),
        };
        Pattern::Key {
            before,
            behind,
            field,
        }
    }

    /// Whether it looks at another key.
    pub(super) fn leads_to_a_key(&self) -> bool {
        matches!(self, Pattern::Key { .. })
    }

    /// What it leads to from `element`.
    pub(super) fn find(&self, element: &[u8], call: Option<&mut Call<'_, '_>>) -> Option<Vec<u8>> {
        let (before, behind, field) = match *self {
            Pattern::Itself => return Some(element.to_vec()),
            Pattern::Nowhere => return None,
            Pattern::Key {
                before,
                behind,
                field,
            } => (before, behind, field),
        };
        let unit = &mut *call
            .expect("a pattern of keys is followed under the locks")
            .unit;
        let name = [before, element, behind].concat();
        let (key, now_ms) = (unit.key(&name), unit.expiry_ms());
        let value = unit.read(key)?.value();
        match (value, field) {
            (ValueRef::String(text), None) => Some(text.bytes(&mut [0; 20]).to_vec()),
            (ValueRef::Object(object), Some(field)) => {
                let hash = <Hash as store::Container>::of(object)?;
                Some(hash.get(field, now_ms)?.value.to_vec())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<(&str, &str, Option<&str>)>) {
        let found = match Pattern::of(word.as_bytes()) {
            Pattern::Key {
                before,
                behind,
                field,
            } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Some((text(before), text(behind), field.map(text)))
            }
            _ => None,
        };
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.map(str::to_owned)));
        assert_eq!(found, expected, "{word}");
    }

    #[test]
    fn taken_apart() {
        check("#", None);
        check("none", None);
        check("->x", None);
        check("w_*", Some(("w_", "", None)));
        check("*", Some(("", "", None)));
        check("a*b*c", Some(("a", "b*c", None)));
        check("w_*->f", Some(("w_", "", Some("f"))));
        check("w_*_x->f->g", Some(("w_", "_x", Some("f->g"))));
        check("w_*->", Some(("w_", "->", None)));
        check("a->*", Some(("a->", "", None)));
    }
}
