//! What a key can hold. A closed enum: a kind that is not listed here does not exist.
//!
//! | looking for | file |
//! |---|---|
//! | strings | `string.rs` |
//! | everything else: one counted allocation behind the entry | `object.rs` |
//! | what outlives a unit | `pinned.rs` |
//! | what a list, set, sorted set, hash is in memory | `list/`, `set.rs`, `sorted_set.rs`, `hash/` |
//! | what a stream is in memory | `stream/` |

pub mod hash;
pub mod limits;
pub mod list;
pub mod object;
pub mod pinned;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;

pub use hash::{Field, FieldDeadline, Hash};
pub use limits::Limits;
pub use list::{List, ListEnd, ListLimits, ListPart};
pub use object::{Container, Object};
pub use pinned::{Pinned, PinnedAs, PinnedStr};
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use string::{NewStr, Str};

/// The kinds of values, as TYPE names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A string of bytes, or a 64-bit integer that stands for its decimal spelling.
    String = 0,
    /// A sequence of strings.
    List = 1,
    /// Different strings in no order.
    Set = 2,
    /// Different strings, each with a score, ordered by score and then by bytes.
    SortedSet = 3,
    /// Fields with a value each.
    Hash = 4,
    /// A log of entries of fields and values, ordered by id.
    Stream = 5,
}

impl Kind {
    /// All of them; a kind's place is its number.
    pub const ALL: [Kind; 6] = [
        Kind::String,
        Kind::List,
        Kind::Set,
        Kind::SortedSet,
        Kind::Hash,
        Kind::Stream,
    ];

    /// TYPE's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
        }
    }
}

/// How a value is held, as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A string that spells a 64-bit integer, held as that integer.
    Int,
    /// A string of at most [`string::EMBSTR_BYTES_MAX`] bytes that was set whole.
    EmbStr,
    /// Any other string.
    Raw,
    /// A small list, set, sorted set or hash in one allocation.
    Listpack,
    /// A small hash of which fields have deadlines.
    ListpackEx,
    /// A small set of integers.
    Intset,
    /// A large set or hash.
    HashTable,
    /// A large list.
    Quicklist,
    /// A large sorted set. The name is what Redis's clients know; ours is a tree.
    Skiplist,
    /// A stream.
    Stream,
}

impl Encoding {
    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::EmbStr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Intset => "intset",
            Encoding::HashTable => "hashtable",
            Encoding::Quicklist => "quicklist",
            Encoding::Skiplist => "skiplist",
            Encoding::Stream => "stream",
        }
    }
}

/// A look at a value.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    String(Str<'a>),
    /// Anything else; cloning the `Arc` keeps it beyond the unit.
    Object(&'a std::sync::Arc<Object>),
}
