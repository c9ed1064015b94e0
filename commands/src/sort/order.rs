//! The order: by number or by bytes, of the elements themselves or of what BY leads to.

use std::cmp::Ordering;

use super::pattern::Pattern;
use crate::{Call, CommandError};

/// In what order.
#[derive(Default)]
pub(super) struct Order<'a> {
    pub(super) by: Option<Pattern<'a>>,
    pub(super) by_bytes: bool,
    pub(super) descends: bool,
}

/// What an element is compared by.
enum Weight {
    /// A number.
    Number(f64),
    /// What BY has found; nothing comes first.
    Found(Option<Vec<u8>>),
    /// Its own bytes.
    Own,
}

impl Order<'_> {
    /// Whether the elements keep the order of their container: BY a pattern without a `*`.
    pub(super) fn is_none(&self) -> bool {
        matches!(self.by, Some(Pattern::Nowhere | Pattern::Itself))
    }

    /// Puts elements into the order.
    pub(super) fn sort(
        &self,
        mut elements: Vec<Vec<u8>>,
        mut call: Option<&mut Call<'_, '_>>,
    ) -> Result<Vec<Vec<u8>>, CommandError> {
        if self.is_none() {
            if self.descends {
                elements.reverse();
            }
            return Ok(elements);
        }
        let mut rows = Vec::new();
        rows.try_reserve_exact(elements.len())
            .map_err(|_| CommandError::Refused)?;
        // Every weight is looked up before a bad one is an error, as in Redis.
        let mut bad = false;
        for element in elements {
            let weight = self.weight(&element, call.as_deref_mut());
            bad |= weight.is_none();
            rows.push((weight.unwrap_or(Weight::Own), element));
        }
        if bad {
            return Err(CommandError::Fixed(
                "ERR One or more scores can't be converted into double",
            ));
        }
        rows.sort_by(|(a, a_element), (b, b_element)| {
            let order = compare(a, a_element, b, b_element);
            if self.descends {
                order.reverse()
            } else {
                order
            }
        });
        Ok(rows.into_iter().map(|(_, element)| element).collect())
    }

    /// `None` if it should be a number and is none.
    fn weight(&self, element: &[u8], call: Option<&mut Call<'_, '_>>) -> Option<Weight> {
        let found = self.by.as_ref().map(|by| by.find(element, call));
        match (found, self.by_bytes) {
            (None, true) => Some(Weight::Own),
            (Some(found), true) => Some(Weight::Found(found)),
            (None, false) => number(element).map(Weight::Number),
            (Some(None), false) => Some(Weight::Number(0.0)),
            (Some(Some(found)), false) => number(&found).map(Weight::Number),
        }
    }
}

/// Equal numbers are told apart by the elements' bytes, so that the order is always the same.
fn compare(a: &Weight, a_element: &[u8], b: &Weight, b_element: &[u8]) -> Ordering {
    match (a, b) {
        (Weight::Number(a), Weight::Number(b)) => {
            let order = a.partial_cmp(b).expect("no weight is NaN");
            order.then_with(|| a_element.cmp(b_element))
        }
        (Weight::Found(a), Weight::Found(b)) => a.cmp(b),
        _ => a_element.cmp(b_element),
    }
}

/// A number as Redis 8 reads one: decimal, no white space anywhere; nothing at all is 0, and what is
/// beyond the range is infinite.
fn number(bytes: &[u8]) -> Option<f64> {
    if bytes.is_empty() {
        return Some(0.0);
    }
    let is_hex = bytes.iter().any(|byte| matches!(byte, b'x' | b'X'));
    let number = resp::number::parse_f64_rounded(bytes).filter(|number| !number.is_nan());
    number.filter(|_| !is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("", Some(0.0)),
            ("1.5", Some(1.5)),
            (" 2", None),
            ("0x10", None),
            ("+5", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("2 ", None),
            ("x", None),
            ("nan", None),
            ("-1e400", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            ("1e", None),
            (" ", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
    }
}
