//! The numbers of the RDB format, and how a value looks in it.
//!
//! ```text
//!   file     "REDIS" version(4 digits) | "VALKEY" version(3 digits)
//!             ( opcode … | key-value )*  EOF  crc64
//!   key-value   [EXPIRETIME_MS i64] [FREQ u8 | IDLE len]  type(1)  key(string)  value
//!   payload     type(1)  value  version(u16)  crc64(u64)          what DUMP returns
//! ```
//!
//! Numbers that stand alone (version, checksum, deadlines, packed integers) are little-endian;
//! lengths are big-endian (`length.rs`). The checksum of a payload covers everything before it,
//! the version included.
//!
//! Version 11 is the last one that Redis and Valkey share. Redis went on to 12 and above, Valkey
//! jumped to 80 so that the two would never mean different things by one number. Both kept the
//! types below [`types::FORK`] as they were, so a payload of either fork that holds one of those
//! is read; above it one number means two things, the version says which, and what we do not know we
//! refuse.
//!
//! Source: the formats that Redis 7.0 to 8 and Valkey 8 to 9 write.

/// The version that our files carry.
pub const VERSION_WRITTEN: u16 = 11;

/// The lowest version of which we write files: Redis 7.0 reads it.
pub const VERSION_FILE_MIN: u16 = VERSION_LISTPACK;

/// The first version whose payloads carry version and checksum: Redis 2.6.
pub const VERSION_DUMP: u16 = 6;

/// The first version with scores as 64-bit floats: Redis 4.0.
pub const VERSION_ZSET_2: u16 = 8;

/// The first version with listpacks in the place of ziplists: Redis 7.0.
pub const VERSION_LISTPACK: u16 = 10;

/// The first version with sets as listpacks: Redis 7.2.
pub const VERSION_SET_LISTPACK: u16 = 11;

/// The first version with the active times of a stream's consumers: Redis 7.2.
pub const VERSION_STREAM_LISTPACKS_3: u16 = 11;

/// The first version with lengths of 64 bits: Redis 4.0.
pub const VERSION_LENGTH_64: u16 = 8;

/// The first version whose files end with a checksum: Redis 2.6.
pub const VERSION_CHECKSUM: u16 = 5;

/// The first version of Redis whose hashes have fields with deadlines: Redis 7.4.
pub const VERSION_FIELD_DEADLINES: u16 = REDIS_FIRST;

/// The first version of Valkey whose hashes have fields with deadlines: Valkey 9.0.
pub const VERSION_FIELD_DEADLINES_VALKEY: u16 = VALKEY_FIRST;

/// Whether a version is one of Valkey's own, where numbers from [`types::FORK`] on mean other things.
#[must_use]
pub const fn is_valkey(version: u16) -> bool {
    version >= VALKEY_FIRST
}

/// Whether we read files and payloads of this version.
#[must_use]
pub const fn version_accepted(version: u16) -> bool {
    matches!(version, 1..=VERSION_WRITTEN | REDIS_FIRST..=REDIS_LAST | VALKEY_FIRST..=VALKEY_LAST)
}

/// What a version is read as that is newer than we know (`rdb-version-check relaxed`): the newest of the
/// same fork. `None` for one that is known, or that nobody could have written.
#[must_use]
pub const fn newer_read_as(version: u16, valkeys: bool) -> Option<u16> {
    if valkeys && version > VALKEY_LAST {
        Some(VALKEY_LAST)
    } else if !valkeys && version > REDIS_LAST && version < VALKEY_FIRST {
        Some(REDIS_LAST)
    } else {
        None
    }
}

/// Redis after the fork: 7.4 to 8.10.
pub(crate) const REDIS_FIRST: u16 = 12;
const REDIS_LAST: u16 = 15;
/// Valkey after the fork: 9.0 to 9.2.
pub(crate) const VALKEY_FIRST: u16 = 80;
const VALKEY_LAST: u16 = 81;

const _: () = assert!(VERSION_WRITTEN + 1 == REDIS_FIRST && REDIS_LAST < VALKEY_FIRST);

/// What stands before a value and says how to read it.
pub mod types {
    /// A string, in one of the forms of `string.rs`.
    pub const STRING: u8 = 0;
    /// A list, element by element.
    pub const LIST: u8 = 1;
    /// A set, member by member.
    pub const SET: u8 = 2;
    /// A sorted set with scores spelled in decimal.
    pub const ZSET: u8 = 3;
    /// A hash, field by field.
    pub const HASH: u8 = 4;
    /// A sorted set with scores as 64-bit floats.
    pub const ZSET_2: u8 = 5;
    /// A module's value of Redis 4.0's release candidates.
    pub const MODULE_CANDIDATE: u8 = 6;
    /// A module's value, in parts that say what they are.
    pub const MODULE: u8 = 7;
    /// A hash as a zipmap (before Redis 2.6).
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list as one ziplist (before Redis 3.2).
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set as an intset.
    pub const SET_INTSET: u8 = 11;
    /// A sorted set as a ziplist (before Redis 7.0).
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash as a ziplist (before Redis 7.0).
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list as ziplists (Redis 3.2 to 6.2).
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream (Redis 5.0).
    pub const STREAM_LISTPACKS: u8 = 15;
    /// A hash as a listpack.
    pub const HASH_LISTPACK: u8 = 16;
    /// A sorted set as a listpack.
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list as listpacks and plain nodes.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream with its first id and counters (Redis 7.0).
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// A set as a listpack (Redis 7.2).
    pub const SET_LISTPACK: u8 = 20;
    /// A stream with its consumers' active times (Redis 7.2).
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// From here on the forks use the numbers differently.
    pub const FORK: u8 = 22;
    /// Valkey 9.0: a hash with deadlines, field by field.
    pub const HASH_VALKEY: u8 = 22;
    /// Redis 7.4: a hash with deadlines, field by field.
    pub const HASH_METADATA: u8 = 24;
    /// Redis 7.4: a hash with deadlines as a listpack.
    pub const HASH_LISTPACK_EX: u8 = 25;
}

/// What stands where a type could stand, in a file.
pub mod opcode {
    /// Valkey 9.0: the state of a cluster slot's import.
    pub const SLOT_IMPORT: u8 = 243;
    /// A hint about a cluster slot's size.
    pub const SLOT_INFO: u8 = 244;
    /// A function library.
    pub const FUNCTION: u8 = 245;
    /// A function library of Redis 7.0's release candidates.
    pub const FUNCTION_CANDIDATE: u8 = 246;
    /// A module's own data.
    pub const MODULE_AUX: u8 = 247;
    /// The next key's idle time.
    pub const IDLE: u8 = 248;
    /// The next key's access frequency.
    pub const FREQ: u8 = 249;
    /// A name and a value about the file itself.
    pub const AUX: u8 = 250;
    /// Hints about the next database's size.
    pub const RESIZE_DB: u8 = 251;
    /// The next key's deadline in milliseconds.
    pub const EXPIRE_TIME_MS: u8 = 252;
    /// The next key's deadline in seconds.
    pub const EXPIRE_TIME: u8 = 253;
    /// The database of the keys that follow.
    pub const SELECT_DB: u8 = 254;
    /// The end.
    pub const EOF: u8 = 255;
}
