//! A command is a row: everything that the rest of the house wants to know about it.
//!
//! One [`CommandSpec`] stands beside each handler. It feeds look-up, arity, key positions (locks,
//! ACL, cluster routing), the change log, COMMAND, COMMAND DOCS and the compatibility page. The
//! data commands' rows live here in `commands`, those about the server itself in
//! `server/src/admin`; both have this form and differ only in the handler's type `H`.
//!
//! Source of arity, flags, key positions and categories: the command tables that Redis 8.0 and
//! Valkey 9.1 report through COMMAND.

/// One command, or one subcommand, as data.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec<H: 'static = crate::call::Handler> {
    /// Lower case; for a subcommand its own word alone (`getname`).
    pub name: &'static str,
    /// How many words a request has, the command's name (and subcommand's) included.
    pub arity: Arity,
    /// Where the keys stand. Feeds locks, ACL and routing alike.
    pub keys: Keys,
    /// Which locks a call needs.
    pub locks: Locks,
    /// Redis's command flags.
    pub flags: Flags,
    /// ACL categories.
    pub acl: Acl,
    /// How a successful write enters the change log.
    pub log: LogForm,
    /// COMMAND DOCS' group.
    pub group: Group,
    /// The release that brought it.
    pub since: &'static str,
    /// One sentence for COMMAND DOCS and help.
    pub summary: &'static str,
    /// COMMAND DOCS' complexity line.
    pub complexity: &'static str,
    /// The arguments after the name, in Redis's notation; parsed for COMMAND DOCS, hints and help.
    pub syntax: &'static str,
    /// COMMAND's tips (`nondeterministic_output`, `request_policy:all_shards`).
    pub tips: &'static [&'static str],
    /// Rows of the subcommands, when this is a container (`CLIENT`).
    pub subcommands: &'static [CommandSpec<H>],
    /// Runs it.
    pub run: H,
}

impl<H: Copy> CommandSpec<H> {
    /// A row with nothing said but the handler; real rows override what they need:
    /// `CommandSpec { name: "get", …, ..CommandSpec::row(get) }`.
    pub const fn row(run: H) -> Self {
        CommandSpec {
            name: "",
            arity: Arity::AtLeast(1),
            keys: Keys::None,
            locks: Locks::Keys,
            flags: Flags::NONE,
            acl: Acl::NONE,
            log: LogForm::None,
            group: Group::Generic,
            since: "1.0.0",
            summary: "",
            complexity: "O(1)",
            syntax: "",
            tips: &[],
            subcommands: &[],
            run,
        }
    }
}

/// How many words a request must have, its name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// This many, no more and no fewer.
    Exactly(u16),
    /// This many or more.
    AtLeast(u16),
}

impl Arity {
    /// Whether a request of `words` words fits.
    #[must_use]
    pub const fn accepts(self, words: usize) -> bool {
        match self {
            Arity::Exactly(n) => words == n as usize,
            Arity::AtLeast(n) => words >= n as usize,
        }
    }

    /// COMMAND's number: negative for "at least".
    #[must_use]
    pub const fn signed(self) -> i64 {
        match self {
            Arity::Exactly(n) => n as i64,
            Arity::AtLeast(n) => -(n as i64),
        }
    }
}

/// Which locks a call takes before its handler runs (DESIGN section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// The shards of its keys: none, one (narrow) or several.
    Keys,
    /// The shards of its keys; the wide ticket and every shard if the request names keys by a pattern,
    /// which are not known beforehand: SORT with BY or GET.
    UnlessPattern,
    /// The wide ticket and every shard: FLUSHALL, SWAPDB.
    Wide,
    /// None beforehand: the handler visits shards one at a time (SCAN, RANDOMKEY) or takes a cut
    /// (KEYS). Inside EXEC such a command makes the whole unit wide.
    OneByOne,
}

impl Locks {
    /// What one request needs: never `UnlessPattern`.
    #[must_use]
    pub fn of(self, args: resp::Args<'_>) -> Locks {
        match self {
            Locks::UnlessPattern if crate::sort::names_keys_by_pattern(args) => Locks::Wide,
            Locks::UnlessPattern => Locks::Keys,
            other => other,
        }
    }
}

/// How a successful write is written to the change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// It writes nothing.
    None,
    /// As it came, when the unit's dirty count rose.
    Verbatim,
    /// The handler reports its effects itself (`Unit::log`), with the clock value that it used.
    Effects,
}

/// Where a command's keys stand in its arguments.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// It has none.
    None,
    /// One or more ranges.
    At(&'static [KeyAt]),
}

/// One range of keys: where it begins, how it goes on, and what is done to the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAt {
    /// Where the range begins.
    pub begin: Begin,
    /// Which words of it are keys.
    pub find: Find,
    /// What the command does to them.
    pub access: KeyFlags,
}

/// Where a range of keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this word (the command's name is word 0; a subcommand's name is word 1).
    Index(u16),
    /// Behind this word, searched from word `from` (negative: from the end, backwards).
    Keyword {
        /// The word, compared without regard to case.
        word: &'static str,
        /// Where the search begins.
        from: i16,
    },
}

/// Which words are keys, counted from where the range begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Each `step`-th word up to `last` (relative; negative counts from the end: -1 is the last
    /// word); `limit` of 2 means "only the first half of what is left", 0 or 1 no limit.
    Range {
        /// Relative position of the last key, or negative from the end.
        last: i16,
        /// Distance between keys.
        step: u16,
        /// Divisor for the number of remaining words.
        limit: u16,
    },
    /// The word at `at` holds their number, the first stands at `first`; both relative.
    KeyNum {
        /// Where the number stands.
        at: u16,
        /// Where the first key stands.
        first: u16,
        /// Distance between keys.
        step: u16,
    },
}

impl KeyAt {
    /// One key at word `index`.
    #[must_use]
    pub const fn at(index: u16, access: KeyFlags) -> Self {
        KeyAt {
            begin: Begin::Index(index),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            access,
        }
    }

    /// The same, going on to relative word `last` in steps of `step`.
    #[must_use]
    pub const fn to(self, last: i16, step: u16) -> Self {
        KeyAt {
            find: Find::Range {
                last,
                step,
                limit: 0,
            },
            ..self
        }
    }

    /// A read-only key whose value is returned.
    #[must_use]
    pub const fn read(index: u16) -> Self {
        Self::at(index, KeyFlags::RO.or(KeyFlags::ACCESS))
    }

    /// A key that is overwritten whatever it held.
    #[must_use]
    pub const fn overwrite(index: u16) -> Self {
        Self::at(index, KeyFlags::OW.or(KeyFlags::UPDATE))
    }

    /// `numkeys key [key …]` beginning at word `index`.
    #[must_use]
    pub const fn counted(index: u16, access: KeyFlags) -> Self {
        KeyAt {
            begin: Begin::Index(index),
            find: Find::KeyNum {
                at: 0,
                first: 1,
                step: 1,
            },
            access,
        }
    }
}

/// Makes a set-of-bits type whose members can be joined in constants.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident: $repr:ty { $($(#[$mdoc:meta])* $member:ident = $bit:expr, $text:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub $repr);

        impl $name {
            /// Nothing set.
            pub const NONE: Self = $name(0);
            $($(#[$mdoc])* pub const $member: Self = $name(1 << $bit);)*
            /// Every member with the word by which clients know it.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$member, $text),)*];

            /// Both.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                $name(self.0 | other.0)
            }

            /// Whether all of `other` is in here.
            #[must_use]
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any of `other` is in here.
            #[must_use]
            pub const fn meets(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The words of what is set, in table order.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                Self::ALL.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, word)| *word)
            }
        }
    };
}

bits! {
    /// Redis's command flags, in the order in which COMMAND lists them.
    Flags: u32 {
        /// May change the data.
        WRITE = 0, "write";
        /// Never changes the data.
        READONLY = 1, "readonly";
        /// Refused when memory is over the limit.
        DENY_OOM = 2, "denyoom";
        /// A module's command.
        MODULE = 3, "module";
        /// For administrators.
        ADMIN = 4, "admin";
        /// About Pub/Sub.
        PUBSUB = 5, "pubsub";
        /// Not from scripts.
        NOSCRIPT = 6, "noscript";
        /// May block the client.
        BLOCKING = 7, "blocking";
        /// Allowed while loading.
        LOADING = 8, "loading";
        /// Allowed on a stale replica.
        STALE = 9, "stale";
        /// Not shown to MONITOR.
        SKIP_MONITOR = 10, "skip_monitor";
        /// Not put into the slow log.
        SKIP_SLOWLOG = 11, "skip_slowlog";
        /// Accepted during slot migration.
        ASKING = 12, "asking";
        /// O(1) or O(log n).
        FAST = 13, "fast";
        /// Allowed before login.
        NO_AUTH = 14, "no_auth";
        /// May be replicated although it is not a write.
        MAY_REPLICATE = 15, "may_replicate";
        /// Known to Sentinel.
        SENTINEL = 16, "sentinel";
        /// Known to Sentinel alone.
        ONLY_SENTINEL = 17, "only_sentinel";
        /// Refused to a client that must not get its answer late.
        NO_MANDATORY_KEYS = 18, "no_mandatory_keys";
        /// Answered while a script holds the keyspace.
        ALLOW_BUSY = 19, "allow_busy";
        /// Not inside MULTI.
        NO_MULTI = 20, "no_multi";
        /// Not while a data set is loaded beside the live one.
        NO_ASYNC_LOADING = 21, "no_async_loading";
        /// The row's key positions do not tell all keys.
        MOVABLE_KEYS = 22, "movablekeys";
        /// May touch keys that its row cannot name (SCAN).
        TOUCHES_ARBITRARY_KEYS = 23, "touches_arbitrary_keys";
        /// Acts on every database (FLUSHALL).
        ALL_DBS = 24, "all_dbs";
    }
}

bits! {
    /// ACL categories, in Redis's order (ACL CAT).
    Acl: u32 {
        /// @keyspace
        KEYSPACE = 0, "keyspace";
        /// @read
        READ = 1, "read";
        /// @write
        WRITE = 2, "write";
        /// @set
        SET = 3, "set";
        /// @sortedset
        SORTED_SET = 4, "sortedset";
        /// @list
        LIST = 5, "list";
        /// @hash
        HASH = 6, "hash";
        /// @string
        STRING = 7, "string";
        /// @bitmap
        BITMAP = 8, "bitmap";
        /// @hyperloglog
        HYPERLOGLOG = 9, "hyperloglog";
        /// @geo
        GEO = 10, "geo";
        /// @stream
        STREAM = 11, "stream";
        /// @pubsub
        PUBSUB = 12, "pubsub";
        /// @admin
        ADMIN = 13, "admin";
        /// @fast
        FAST = 14, "fast";
        /// @slow
        SLOW = 15, "slow";
        /// @blocking
        BLOCKING = 16, "blocking";
        /// @dangerous
        DANGEROUS = 17, "dangerous";
        /// @connection
        CONNECTION = 18, "connection";
        /// @transaction
        TRANSACTION = 19, "transaction";
        /// @scripting
        SCRIPTING = 20, "scripting";
    }
}

bits! {
    /// What a command does to a key: COMMAND's key-specification flags.
    KeyFlags: u16 {
        /// Read only.
        RO = 0, "RO";
        /// Read and written.
        RW = 1, "RW";
        /// Overwritten whatever it held.
        OW = 2, "OW";
        /// Removed.
        RM = 3, "RM";
        /// Its value reaches the client or another key.
        ACCESS = 4, "access";
        /// Its value may be changed.
        UPDATE = 5, "update";
        /// Data may be added to it.
        INSERT = 6, "insert";
        /// Data may be removed from it.
        DELETE = 7, "delete";
        /// Not a key, but routed like one.
        NOT_KEY = 8, "not_key";
        /// The range may leave out keys.
        INCOMPLETE = 9, "incomplete";
        /// The other flags depend on the arguments.
        VARIABLE_FLAGS = 10, "variable_flags";
    }
}

/// COMMAND DOCS' groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the groups' own names")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Sentinel,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The word that COMMAND DOCS prints.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Scripting => "scripting",
            Group::Sentinel => "sentinel",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}
