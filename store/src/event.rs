//! Keyspace events: their classes, as `notify-keyspace-events` names them, and the list in which a
//! unit gathers them. They are delivered after the unit's commands, under its locks.

/// A set of event classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct EventClass(pub u32);

impl EventClass {
    /// No class.
    pub const NONE: Self = EventClass(0);
    /// `g`: commands of no one type (DEL, EXPIRE, RENAME).
    pub const GENERIC: Self = EventClass(1 << 2);
    /// `$`: string commands.
    pub const STRING: Self = EventClass(1 << 3);
    /// `l`: list commands.
    pub const LIST: Self = EventClass(1 << 4);
    /// `s`: set commands.
    pub const SET: Self = EventClass(1 << 5);
    /// `h`: hash commands.
    pub const HASH: Self = EventClass(1 << 6);
    /// `z`: sorted set commands.
    pub const ZSET: Self = EventClass(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: Self = EventClass(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = EventClass(1 << 9);
    /// `t`: stream commands.
    pub const STREAM: Self = EventClass(1 << 10);
    /// `m`: a key was looked up and was not there.
    pub const KEY_MISS: Self = EventClass(1 << 11);
    /// `n`: a key came into being.
    pub const NEW: Self = EventClass(1 << 14);
    /// Every class.
    pub const ALL: Self = EventClass(0x4ffc);

    /// Both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        EventClass(self.0 | other.0)
    }

    /// Whether any of `other` is in here.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One event, as it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its class.
    pub class: EventClass,
    /// Its name (`set`, `expired`).
    pub name: &'static str,
    /// The database.
    pub db: u32,
    /// The key.
    pub key: &'a [u8],
}

/// The events of a unit, in order. Keys stand one after another in one buffer that keeps its room
/// from unit to unit, so that an event allocates nothing.
#[derive(Debug, Default)]
pub struct Events {
    rows: Vec<(EventClass, &'static str, u32, usize)>,
    keys: Vec<u8>,
}

impl Events {
    pub(crate) fn push(&mut self, class: EventClass, name: &'static str, db: u32, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.rows.push((class, name, db, self.keys.len()));
    }

    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The events in the order in which they happened.
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        let mut begin = 0;
        self.rows.iter().map(move |&(class, name, db, end)| {
            let key = &self.keys[begin..end];
            begin = end;
            Event {
                class,
                name,
                db,
                key,
            }
        })
    }

    /// Forgets them, keeping the room.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.keys.clear();
    }
}
