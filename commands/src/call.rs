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

use std::ops::Range;

use resp::{Args, Reply};
use store::{Container, Deadline, EventClass, Key, Kind, Limits, Refused, Slot, Unit};

use crate::error::CommandError;
use crate::kept::Kept;

/// The code behind a data command's row.
pub type Handler = fn(&mut Call<'_, '_>) -> Result<(), CommandError>;

/// What a command that has found nothing waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The kind of value.
    pub kind: Kind,
    /// The words that name the keys, those of the request that the row declares.
    pub awaited: Range<usize>,
    /// When it gives up, in milliseconds since 1970; `None`: never.
    pub until_ms: Option<i64>,
    /// What it answers where it may not wait. (After a wait it is the array's, whatever it is here.)
    pub null: Null,
    /// Whether it is also to hear that a key goes or becomes something else (XREADGROUP).
    pub hears_loss: bool,
    /// When it may find something without anybody's doing, in milliseconds since 1970: a delivery that
    /// will have been kept for too long (XREADGROUP CLAIM).
    pub again_ms: Option<i64>,
    /// Words that are to be replaced before the command runs again: XREAD's `$` means the end as it
    /// was when it was called.
    pub rewrite: Vec<(usize, Box<[u8]>)>,
}

/// The two kinds of nothing that RESP2 tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// In the place of an array.
    Array,
    /// In the place of a value.
    Value,
}

/// One execution of one command.
pub struct Call<'c, 's> {
    /// The request's words; word 0 is the command's name.
    pub args: Args<'c>,
    /// The key of a row that has exactly one, hashed for the locks already, and the word that it is.
    pub lone_key: Option<(usize, Key<'c>)>,
    /// The data, under the locks that the row asked for.
    pub unit: &'c mut Unit<'s>,
    /// Where the answer goes.
    pub reply: &'c mut Reply,
    /// What the configuration says about data commands.
    pub settings: &'c Settings,
    /// What the connection keeps from one request to the next.
    pub kept: &'c mut Kept,
    /// Whether the command may wait: not inside EXEC or a script.
    pub may_block: bool,
    /// What is to be said after the unit has unlocked; [`Call::later`] sets it.
    pub later: Option<Later>,
}

/// From this many bytes on (or steps of similar size) a reply is worth making after unlocking: below,
/// it takes less than the two turns of a lock that somebody else may lose by waiting, some 10 µs.
pub const LONG_BYTES_MIN: usize = 64 * 1024;

/// More random elements than this, repeated as SRANDMEMBER and its like may, would fill the memory of any
/// machine: at least 2 GiB of reply. Refused as memory is, unless the reply has a ceiling, which ends it
/// sooner.
pub const REPEATS_MAX: u64 = 1 << 28;

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
    #[inline]
    #[must_use]
    pub fn key(&self, index: usize) -> Key<'c> {
        match self.lone_key {
            Some((at, key)) if at == index => key,
            _ => self.unit.key(self.args.get(index)),
        }
    }

    /// The answer of a command that has found nothing: it waits, or where it may not, says so.
    ///
    /// # Errors
    /// `CommandError::Block`, which the dispatcher understands.
    pub fn block(&mut self, block: Block) -> Result<(), CommandError> {
        if self.may_block {
            return Err(CommandError::Block(Box::new(block)));
        }
        match block.null {
            Null::Array => self.reply.null_array(),
            Null::Value => self.reply.null(),
        }
        Ok(())
    }

    /// Removes a key whose container has been emptied, and reports it. The event of what emptied it
    /// comes before.
    pub fn remove_emptied(&mut self, key: Key<'_>) {
        if self.unit.remove(key) {
            self.unit.notify(EventClass::GENERIC, "del", key.bytes());
        }
    }

    /// Puts a command's result in the place of whatever `key` held; nothing, or an empty result,
    /// removes the key and reports that. Returns whether something changed. The event of what was
    /// stored is the caller's.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn store_result<C: Container>(
        &mut self,
        key: Key<'_>,
        result: Option<C>,
    ) -> Result<bool, Refused> {
        match result.filter(|result| !result.is_empty()) {
            Some(result) => {
                match self.unit.slot(key) {
                    Slot::Vacant(at) => at.insert(result, None)?,
                    Slot::Occupied(mut at) => at.set(result, Deadline::Clear)?,
                }
                Ok(true)
            }
            None if self.unit.remove(key) => {
                self.unit.notify(EventClass::GENERIC, "del", key.bytes());
                Ok(true)
            }
            None => Ok(false),
        }
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
    /// Whether Redis would keep one object of each small integer for all keys: without `maxmemory`, or
    /// under a policy that wants no access clock (OBJECT REFCOUNT).
    pub shares_integers: bool,
    /// `lazyfree-lazy-user-flush`: FLUSHALL without a word frees in the background.
    pub lazy_user_flush: bool,
    /// `lazyfree-lazy-user-del`: DEL frees in the background as UNLINK does.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-expire`: what expires is freed in the background.
    pub lazy_expire: bool,
    /// `rdbcompression`: long strings are compressed in DUMP and in files.
    pub rdb_compression: bool,
    /// `rdb-dialect`: whose bytes DUMP writes where the forks differ.
    pub rdb_dialect: rdb::Dialect,
    /// `lfu-decay-time`, minutes.
    pub lfu_decay_minutes: u32,
    /// `lfu-log-factor`.
    pub lfu_log_factor: u32,
    /// Where small containers turn large.
    pub limits: Limits,
}
