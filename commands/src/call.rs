//! What a handler is handed, and what it hands back.
//!
//! A handler parses all its arguments, then touches the store through the unit, then replies. It
//! knows no socket, thread, clock or replica. When it fails, the dispatcher cuts the reply back
//! and writes the error's text, so a handler never undoes a reply by hand.
//!
//! **Long work does not run under locks** (DESIGN section 3). A handler whose reply takes long to make
//! pins the values that it needs (`Str::pin`, `ValueRef::pin`) and hands the rest to [`Call::later`]:
//!
//! ```text
//!   locks ─ handler: checks, pins, later(rest) ─ after-effects, log, unlock ─ rest: builds the reply
//! ```
//!
//! What was handed over can borrow nothing of the unit, so it cannot touch the data; it may fail, as a
//! handler may. Its reply stands where the command's reply belongs, inside EXEC's array too.

use resp::{Args, Reply};
use store::{Key, Unit};

use crate::error::CommandError;

/// The code behind a data command's row.
pub type Handler = fn(&mut Call<'_, '_>) -> Result<(), CommandError>;

/// One execution of one command.
pub struct Call<'c, 's> {
    /// The request's words; word 0 is the command's name.
    pub args: Args<'c>,
    /// The data, under the locks that the row asked for.
    pub unit: &'c mut Unit<'s>,
    /// Where the answer goes.
    pub reply: &'c mut Reply,
    /// What the configuration says about data commands.
    pub settings: &'c Settings,
    /// What is to be said after the unit has unlocked; [`Call::later`] sets it.
    pub later: Option<Later>,
}

/// From this many bytes on (or steps of similar size) a reply is worth making after unlocking: below,
/// it takes less than the two turns of a lock that somebody else may lose by waiting, some 10 µs.
pub const LONG_BYTES_MIN: usize = 64 * 1024;

type Rest = dyn FnOnce(&mut Reply) -> Result<(), CommandError>;

/// The rest of a command: runs once its unit has let go of all locks, and says the whole reply.
pub struct Later(Box<Rest>);

impl Later {
    /// Runs it. On `Err` the caller cuts the reply back and writes the error's text.
    ///
    /// # Errors
    /// As a handler's.
    pub fn say(self, reply: &mut Reply) -> Result<(), CommandError> {
        (self.0)(reply)
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Later")
    }
}

impl<'c> Call<'c, '_> {
    /// The key that word `index` names.
    #[must_use]
    pub fn key(&self, index: usize) -> Key<'c> {
        self.unit.key(self.args.get(index))
    }

    /// Leaves the whole reply for after the unlocking. The handler has said nothing, and says nothing
    /// more.
    pub fn later(
        &mut self,
        rest: impl FnOnce(&mut Reply) -> Result<(), CommandError> + 'static,
    ) -> Result<(), CommandError> {
        debug_assert!(self.later.is_none(), "one rest a command");
        self.later = Some(Later(Box::new(rest)));
        Ok(())
    }
}

/// The configuration's share that data commands read; the server makes a new one at CONFIG SET.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest string, in bytes (`proto-max-bulk-len`).
    pub string_bytes_max: u64,
    /// How many databases there are.
    pub databases: u32,
    /// Whether access clocks count frequency (`maxmemory-policy *-lfu`) instead of time.
    pub lfu: bool,
    /// `lazyfree-lazy-user-flush`: FLUSHALL without a word frees in the background.
    pub lazy_user_flush: bool,
    /// `lazyfree-lazy-user-del`: DEL frees in the background as UNLINK does.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-expire`: what expires is freed in the background.
    pub lazy_expire: bool,
    /// `rdbcompression`: long strings are compressed in DUMP and in files.
    pub rdb_compression: bool,
    /// `lfu-decay-time`, minutes.
    pub lfu_decay_minutes: u32,
    /// `lfu-log-factor`.
    pub lfu_log_factor: u32,
}
