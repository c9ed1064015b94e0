//! A key with its hash: hashed once per argument, then only passed along.
//!
//! The hash is rapidhash v3 (nano) with secrets drawn from the store's seed, which the server
//! draws at random at start: who cannot read the seed cannot choose keys that collide.

use std::sync::OnceLock;

use collections::dict::Hashing;
use collections::table::Hash;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_nano_inline};

use crate::shard::SHARDS;

/// What the hash of a key depends on beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashSeed(RapidSecrets);

impl HashSeed {
    pub(crate) fn new(seed: u64) -> Self {
        HashSeed(RapidSecrets::seed(seed))
    }

    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> Hash {
        Hash::new(rapidhash_v3_nano_inline::<true, false>(bytes, &self.0))
    }
}

/// How the elements of large containers are hashed. A container outlives no process but may leave its
/// store (a value on its way from a file), so the secrets are the process's: those of its first store.
static ELEMENTS: OnceLock<RapidSecrets> = OnceLock::new();

/// Draws the secrets, if nobody has.
pub(crate) fn seed_elements(seed: u64) {
    // Half a golden ratio away from the keys' own, so that neither tells of the other.
    ELEMENTS.get_or_init(|| RapidSecrets::seed(seed ^ 0x9e37_79b9_7f4a_7c15));
}

/// The hashing of elements, for [`collections::dict::Dict`]s.
///
/// # Panics
/// Before the process has a store.
#[must_use]
pub fn element_hashing() -> Hashing {
    fn hash(bytes: &[u8], _: u64) -> u64 {
        let secrets = ELEMENTS.get().expect("a store has been made");
        rapidhash_v3_nano_inline::<true, false>(bytes, secrets)
    }
    Hashing { seed: 0, hash }
}

/// Where a key lies, without its bytes: what touching ahead needs.
#[derive(Clone, Copy, Debug)]
pub struct Spot(Hash);

impl Spot {
    /// The shard.
    #[inline]
    #[must_use]
    pub fn shard(self) -> usize {
        self.0.shard() % SHARDS
    }

    #[inline]
    pub(crate) fn hash(self) -> Hash {
        self.0
    }
}

/// A key's bytes and their hash under this store's seed.
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    bytes: &'k [u8],
    hash: Hash,
}

impl<'k> Key<'k> {
    #[inline]
    pub(crate) fn new(bytes: &'k [u8], hash: Hash) -> Self {
        Key { bytes, hash }
    }

    /// The key's bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'k [u8] {
        self.bytes
    }

    /// The shard that the key falls into.
    #[inline]
    #[must_use]
    pub fn shard(self) -> usize {
        // A model has fewer shards; in the ordinary build the remainder is the number itself.
        self.hash.shard() % SHARDS
    }

    /// Where it lies.
    #[inline]
    #[must_use]
    pub fn spot(self) -> Spot {
        Spot(self.hash)
    }

    #[inline]
    pub(crate) fn hash(self) -> Hash {
        self.hash
    }
}
