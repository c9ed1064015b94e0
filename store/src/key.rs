//! A key with its hash: hashed once per argument, then only passed along.

/// A key's bytes and their hash under this store's seed.
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    bytes: &'k [u8],
    hash: u64,
}

impl<'k> Key<'k> {
    pub(crate) fn new(bytes: &'k [u8], hash: u64) -> Self {
        Key { bytes, hash }
    }

    /// The key's bytes.
    #[must_use]
    pub fn bytes(self) -> &'k [u8] {
        self.bytes
    }

    /// The shard that the key falls into.
    #[must_use]
    pub fn shard(self) -> usize {
        (self.hash >> 54) as usize
    }
}
