//! What a handler is handed, and what it hands back.
//!
//! A handler parses all its arguments, then touches the store through the unit, then replies. It
//! knows no socket, thread, clock or replica. When it fails, the dispatcher cuts the reply back
//! and writes the error's text, so a handler never undoes a reply by hand.

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
}

impl<'c> Call<'c, '_> {
    /// The key that word `index` names.
    #[must_use]
    pub fn key(&self, index: usize) -> Key<'c> {
        self.unit.key(self.args.get(index))
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
