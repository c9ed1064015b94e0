//! How a client tracks: what others must know of it, and what its own commands look at.

use std::collections::BTreeSet;

use crate::clients::ClientId;

/// What others read, behind the client's lock (`Client::with_tracked`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// BCAST: told of every key with one of the prefixes, whether it was read or not.
    pub bcast: bool,
    /// NOLOOP: not told of its own changes.
    pub noloop: bool,
    /// REDIRECT: who hears in its place.
    pub redirect: Option<ClientId>,
    /// Whoever was redirected to is gone.
    pub is_broken: bool,
    /// PREFIX.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// Bytes that the prefixes take, about; kept by [`Tracked::hear`].
    pub prefix_bytes: usize,
}

/// What a prefix takes beyond its two copies: its places here and in the registry.
const PREFIX_BYTES: usize = 128;

impl Tracked {
    /// Adds a prefix.
    pub fn hear(&mut self, prefix: Box<[u8]>) {
        let bytes = 2 * prefix.len() + PREFIX_BYTES;
        if self.prefixes.insert(prefix) {
            self.prefix_bytes += bytes;
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Tracked>() + self.prefix_bytes
    }
}

/// What its session keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// BCAST: nothing is remembered.
    pub bcast: bool,
    /// OPTIN: only keys that are read behind CLIENT CACHING YES.
    pub optin: bool,
    /// OPTOUT: no keys that are read behind CLIENT CACHING NO.
    pub optout: bool,
    /// CLIENT CACHING was just called; holds for the next command, or transaction.
    pub caching: bool,
}

impl Mode {
    /// Whether what a command reads is remembered.
    #[must_use]
    pub fn remembers(self) -> bool {
        match (self.bcast, self.optin, self.optout) {
            (true, ..) => false,
            (false, true, _) => self.caching,
            (false, false, true) => !self.caching,
            (false, false, false) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caching_is_an_exception_to_what_is_chosen() {
        let check = |bcast, optin, optout, expected: [bool; 2]| {
            let remembers = [false, true].map(|caching| {
                let mode = Mode {
                    bcast,
                    optin,
                    optout,
                    caching,
                };
                mode.remembers()
            });
            assert_eq!(remembers, expected);
        };
        check(false, false, false, [true, true]);
        check(false, true, false, [false, true]);
        check(false, false, true, [true, false]);
        check(true, false, false, [false, false]);
    }
}
