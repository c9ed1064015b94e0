//! The form in which values are written: which version, whose dialect.
//!
//! | what | file of 10 | file of 11 | fields with deadlines | payload (DUMP) |
//! |---|---|---|---|---|
//! | small set of words | SET, member by member | SET_LISTPACK | | SET |
//! | stream | STREAM_LISTPACKS_2 | STREAM_LISTPACKS_3 | | 2, or 3 where a consumer's two times differ |
//! | hash with deadlines | | | 12: HASH_METADATA, HASH_LISTPACK_EX; 80: HASH_VALKEY | likewise |
//!
//! Everything else is written alike by all. A file has one version, which stands at its head, so
//! whoever saves must know beforehand whether a field has a deadline (the store counts such keys). A
//! payload carries the lowest version that holds its value, because a server refuses a payload of a
//! newer version whatever is in it.
//!
//! No value is ever cut down to fit: where a version asked for cannot hold the data, it is raised.

use crate::format::{
    REDIS_FIRST, VALKEY_FIRST, VERSION_FILE_MIN, VERSION_SET_LISTPACK, VERSION_STREAM_LISTPACKS_3,
    VERSION_WRITTEN, is_valkey,
};

/// Whose bytes are written where the two differ (`rdb-dialect`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Redis's, since 7.4.
    #[default]
    Redis,
    /// Valkey's, since 9.0.
    Valkey,
}

/// The form in which values are written. The default is a payload's, in Redis's dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    dialect: Dialect,
    /// A file's; a payload has the lowest that holds its value.
    version: Option<u16>,
}

impl Form {
    /// The form of a payload.
    #[must_use]
    pub const fn payload(dialect: Dialect) -> Form {
        Form {
            dialect,
            version: None,
        }
    }

    /// The form of a file: of the version that is asked for (`rdb-write-version`, usually
    /// [`VERSION_WRITTEN`]), or a higher one where the data needs it. `field_deadlines` says whether
    /// any hash has a field with a deadline.
    #[must_use]
    pub fn file(asked: u16, dialect: Dialect, field_deadlines: bool) -> Form {
        let dialect = match asked {
            _ if is_valkey(asked) => Dialect::Valkey,
            REDIS_FIRST.. => Dialect::Redis,
            _ => dialect,
        };
        let needed = match (field_deadlines, dialect) {
            (false, _) => VERSION_FILE_MIN,
            (true, Dialect::Redis) => REDIS_FIRST,
            (true, Dialect::Valkey) => VALKEY_FIRST,
        };
        Form {
            dialect,
            version: Some(asked.max(needed)),
        }
    }

    /// The version that a file of this form carries.
    #[must_use]
    pub fn file_version(self) -> u16 {
        self.version.unwrap_or(VERSION_WRITTEN)
    }

    /// Whose bytes are written where the two differ.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Whether a small set of words is written as its listpack.
    #[must_use]
    pub(crate) fn has_set_listpacks(self) -> bool {
        self.version
            .is_some_and(|version| version >= VERSION_SET_LISTPACK)
    }

    /// Whether a stream's consumers are written with both their times, if those do not (`differ`) or
    /// do say the same.
    #[must_use]
    pub(crate) fn has_active_times(self, differ: bool) -> bool {
        match self.version {
            Some(version) => version >= VERSION_STREAM_LISTPACKS_3,
            None => differ,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_version_asked_for_or_the_one_that_it_needs() {
        use Dialect::{Redis, Valkey};
        for (asked, dialect, deadlines, version, written) in [
            (11, Redis, false, 11, Redis),
            (11, Valkey, false, 11, Valkey),
            (10, Redis, false, 10, Redis),
            (11, Redis, true, 12, Redis),
            (10, Valkey, true, 80, Valkey),
            (12, Valkey, false, 12, Redis),
            (80, Redis, true, 80, Valkey),
            (6, Redis, false, 10, Redis),
        ] {
            let form = Form::file(asked, dialect, deadlines);
            assert_eq!(form.file_version(), version, "{asked} {dialect:?}");
            assert_eq!(form.dialect(), written, "{asked} {dialect:?}");
        }
    }
}
