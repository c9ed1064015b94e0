//! Where small containers turn large. The configuration says it; who changes or loads a container is
//! handed it.

use super::list::ListLimits;

/// The sizes up to which containers are held in one allocation, and those of a large one's parts.
/// Parameters of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `list-max-listpack-size`: entries of a chunk, or -1 to -5 for 4 to 64 KiB.
    pub list_max_listpack_size: i32,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: from so many bytes on an element of a large list stands by
    /// itself; 0: where its chunk would pass the size above.
    pub list_plain_bytes: usize,
    /// `list-compress-depth`: chunks at each end that are not compressed; 0: none is.
    pub list_compress_depth: u32,
    /// `set-max-intset-entries`
    pub set_max_intset_entries: u64,
    /// `set-max-listpack-entries`
    pub set_max_listpack_entries: u64,
    /// `set-max-listpack-value`, bytes.
    pub set_max_listpack_value: u64,
    /// `hash-max-listpack-entries`
    pub hash_max_listpack_entries: u64,
    /// `hash-max-listpack-value`, bytes.
    pub hash_max_listpack_value: u64,
    /// `zset-max-listpack-entries`
    pub zset_max_listpack_entries: u64,
    /// `zset-max-listpack-value`, bytes.
    pub zset_max_listpack_value: u64,
    /// `stream-node-max-bytes`; 0: no limit.
    pub stream_node_max_bytes: u64,
    /// `stream-node-max-entries`; 0: no limit.
    pub stream_node_max_entries: u64,
    /// `stream-idmp-duration`, seconds.
    pub stream_idmp_duration_s: u64,
    /// `stream-idmp-maxsize`.
    pub stream_idmp_maxsize: u64,
    /// `hll-sparse-max-bytes`
    pub hll_sparse_max_bytes: u64,
}

impl Limits {
    /// Those of lists.
    #[must_use]
    pub fn list(&self) -> ListLimits {
        ListLimits::of(self.list_max_listpack_size, self.list_plain_bytes)
    }
}

impl Default for Limits {
    /// The parameters' defaults.
    fn default() -> Self {
        Limits {
            list_max_listpack_size: -2,
            list_plain_bytes: 0,
            list_compress_depth: 0,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            stream_idmp_duration_s: 100,
            stream_idmp_maxsize: 100,
            hll_sparse_max_bytes: 3000,
        }
    }
}
