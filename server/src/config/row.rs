//! The form of a parameter's row, and the small words from which `table.rs` builds rows.

use super::value::{Kind, Special, Unit};

/// Everything that is known about a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Another name for the same thing.
    pub alias: Option<&'static str>,
    /// What it may hold.
    pub kind: Kind,
    /// Its default, as it would stand in a file.
    pub default: &'static str,
    /// How it may be used: [`START`] and its siblings.
    pub flags: u16,
    /// What must be done when it has changed.
    pub apply: Apply,
    /// Whether it has an effect, and if not, what it waits for.
    pub waits: Waits,
}

/// Cannot be changed while the server runs.
pub(super) const START: u16 = 1;
/// Changed only where `enable-protected-configs` allows.
pub(super) const PROTECTED: u16 = 1 << 1;
/// Its value is kept out of the slow log, of MONITOR and of logs.
pub(super) const SENSITIVE: u16 = 1 << 2;
/// Takes several words.
pub(super) const MULTI: u16 = 1 << 3;
/// Applied even when the new value equals the old one (files that it names may have changed).
pub(super) const VOLATILE: u16 = 1 << 4;
/// Refused while a data set is loaded.
pub(super) const DENY_LOADING: u16 = 1 << 5;
/// Part of the crash report.
pub(super) const DEBUG: u16 = 1 << 6;
/// Found by its exact name alone, not by a pattern.
pub(super) const HIDDEN: u16 = 1 << 7;

/// What a changed value sets in motion, beside the publication of the new `Live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// Nothing more.
    Publish,
    /// The log takes over level, format and time stamp.
    Log,
    /// Listeners for `port` and `bind` are opened and closed.
    Listen,
    /// The open-file limit is raised.
    Maxclients,
    /// The working folder changes.
    Dir,
    /// `hz` is brought into its range.
    Hz,
    /// The process title is written.
    Title,
    /// The kernel's preference for killing us.
    OomScore,
    /// Crash handlers are installed or removed.
    CrashLog,
    /// The watchdog starts, stops, or changes its period.
    Watchdog,
    /// The collation order changes.
    Locale,
    /// A warning when the new limit is below what is used.
    Maxmemory,
    /// The log begins or ends.
    AppendOnly,
}

/// Why a parameter is accepted without effect. Each use stands in docs/compat.md; a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It has its effect.
    Nothing,
    /// For the data types, eviction, Pub/Sub and tracking: issue 3.
    Types,
    /// For saving and the append-only file: issue 4.
    Persistence,
    /// For replication.
    Replication,
    /// For the cluster.
    Cluster,
    /// For TLS.
    Tls,
    /// For scripts.
    Scripts,
    /// For ACL rules and users.
    Acl,
    /// For modules.
    Modules,
    /// For RDMA and MPTCP.
    Transport,
    /// There is nothing that it could steer; the text says why.
    Needless(&'static str),
}

impl Row {
    pub(super) const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Row {
            name,
            alias: None,
            kind,
            default,
            flags: 0,
            apply: Apply::Publish,
            waits: Waits::Nothing,
        }
    }

    pub(super) const fn alias(self, alias: &'static str) -> Self {
        Row {
            alias: Some(alias),
            ..self
        }
    }

    pub(super) const fn flags(self, flags: u16) -> Self {
        Row {
            flags: self.flags | flags,
            ..self
        }
    }

    pub(super) const fn start(self) -> Self {
        self.flags(START)
    }

    pub(super) const fn apply(self, apply: Apply) -> Self {
        Row { apply, ..self }
    }

    pub(super) const fn waits(self, waits: Waits) -> Self {
        Row { waits, ..self }
    }

    /// Whether one of these flags is set.
    #[must_use]
    pub const fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }
}

pub(super) const INT_MAX: i128 = i32::MAX as i128;
pub(super) const LONG_MAX: i128 = i64::MAX as i128;
pub(super) const ULONG_MAX: i128 = u64::MAX as i128;

pub(super) const fn switch(name: &'static str, default: &'static str) -> Row {
    Row::new(name, Kind::Bool, default)
}

pub(super) const fn number(name: &'static str, min: i128, max: i128, default: &'static str) -> Row {
    Row::new(
        name,
        Kind::Number {
            min,
            max,
            unit: Unit::Plain,
        },
        default,
    )
}

pub(super) const fn bytes(name: &'static str, min: i128, max: i128, default: &'static str) -> Row {
    Row::new(
        name,
        Kind::Number {
            min,
            max,
            unit: Unit::Bytes,
        },
        default,
    )
}

pub(super) const fn choice(
    name: &'static str,
    options: &'static [(&'static str, u32)],
    default: &'static str,
) -> Row {
    Row::new(name, Kind::Choice(options), default)
}

pub(super) const fn text(name: &'static str, default: &'static str) -> Row {
    Row::new(name, Kind::Text(any), default)
}

pub(super) const fn checked(
    name: &'static str,
    check: fn(&[u8]) -> Result<(), &'static str>,
    default: &'static str,
) -> Row {
    Row::new(name, Kind::Text(check), default)
}

pub(super) const fn special(name: &'static str, special: Special, default: &'static str) -> Row {
    Row::new(name, Kind::Special(special), default)
}

fn any(_: &[u8]) -> Result<(), &'static str> {
    Ok(())
}
