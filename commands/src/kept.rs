//! What a connection keeps for its data commands, from one request to the next.
//!
//! A handler knows no connection. What one of its commands has to remember is here; the server holds it
//! with the session, and RESET and the connection's end let go of it. So far that is HIMPORT's fieldsets.

use std::collections::BTreeMap;

/// Names of fields, in the order in which they were said.
type Fields = Box<[Box<[u8]>]>;

/// See the file's essay.
#[derive(Debug, Default)]
pub struct Kept {
    fieldsets: BTreeMap<Box<[u8]>, Fields>,
    bytes: usize,
}

/// What a map's entry, or a field's place in a list, takes beside the bytes, about.
const PLACE_BYTES: usize = 32;

fn bytes_of(name: &[u8], fields: &[Box<[u8]>]) -> usize {
    let fields = fields.iter().map(|field| PLACE_BYTES + field.len());
    PLACE_BYTES + name.len() + fields.sum::<usize>()
}

impl Kept {
    /// Bytes on the heap, about: part of what the client is said to hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The fields of a fieldset, in the order in which they were named.
    #[must_use]
    pub fn fieldset(&self, name: &[u8]) -> Option<&[Box<[u8]>]> {
        self.fieldsets.get(name).map(|fields| &**fields)
    }

    /// Keeps a fieldset; one of the same name is replaced.
    pub fn keep_fieldset(&mut self, name: &[u8], fields: Box<[Box<[u8]>]>) {
        self.drop_fieldset(name);
        self.bytes += bytes_of(name, &fields);
        self.fieldsets.insert(name.into(), fields);
    }

    /// Lets go of a fieldset; whether it was there.
    pub fn drop_fieldset(&mut self, name: &[u8]) -> bool {
        let gone = self.fieldsets.remove(name);
        self.bytes -= gone.as_deref().map_or(0, |fields| bytes_of(name, fields));
        gone.is_some()
    }

    /// Lets go of all fieldsets; how many there were.
    pub fn drop_fieldsets(&mut self) -> usize {
        let count = self.fieldsets.len();
        *self = Kept::default();
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_what_is_kept() {
        let mut kept = Kept::default();
        let fields = |names: &[&str]| names.iter().map(|name| name.as_bytes().into()).collect();
        kept.keep_fieldset(b"one", fields(&["a", "bc"]));
        let one = kept.bytes();
        assert_eq!(one, 3 + 1 + 2 + 3 * PLACE_BYTES);
        kept.keep_fieldset(b"two", fields(&[]));
        kept.keep_fieldset(b"one", fields(&["a", "bc"]));
        assert!(kept.drop_fieldset(b"two") && !kept.drop_fieldset(b"two"));
        assert_eq!((kept.bytes(), kept.drop_fieldsets()), (one, 1));
        assert_eq!((kept.bytes(), kept.drop_fieldsets()), (0, 0));
    }
}
