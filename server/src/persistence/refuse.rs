//! Commands that are refused because of data files: LOADING, MISCONF.
//!
//! Both are gates (`store::Gates`), so one word says that there is nothing to look at. What a closed
//! one means for a command depends on its flags and on parameters, and is decided here: before its
//! locks, so that the refusal stands in Redis's order of checks and spoils a MULTI; and once more under
//! them, because the gate may have closed in between (then it comes again).

use std::sync::atomic::Ordering::Relaxed;

use commands::CommandError;
use commands::spec::Flags;
use store::Gates;

use crate::live::Live;
use crate::server::Server;
use crate::table::{Command, Special};

const LOADING: CommandError = CommandError::Fixed("LOADING Redis is loading the dataset in memory");
const MISCONF_RDB: CommandError = CommandError::Fixed(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
     Commands that may modify the data set are disabled, because this instance is configured to report \
     errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check \
     the Redis logs for details about the RDB error.",
);

/// The gates that [`Refusal`] is about.
pub(crate) const REFUSING: u64 = Gates::LOADING | Gates::MISCONF;

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The data is being loaded, and the command may not see half of it.
    Loading,
    /// The last save failed, and writes are to stop then.
    SaveFailed,
    /// The log cannot be written, for this reason.
    LogFailed(String),
}

impl Refusal {
    /// What a closed gate means for a command; `queued` are the flags of what EXEC would run.
    #[cold]
    pub(crate) fn of(
        server: &Server,
        live: &Live,
        gates: Gates,
        command: &Command,
        queued: u32,
    ) -> Option<Refusal> {
        let queued = match command.special {
            Special::Exec => queued,
            _ => 0,
        };
        let writes = (command.spec.flags.0 | queued) & Flags::WRITE.0 != 0;
        let is_ping = command.parent.is_none() && command.spec.name == "ping";
        if gates.closed(Gates::MISCONF)
            && (writes || is_ping)
            && live.stops_writes_on_save_error
            && !live.save_points.is_empty()
            && !server.persistence.figures.last_ok.load(Relaxed)
        {
            return Some(Refusal::SaveFailed);
        }
        if gates.closed(Gates::MISCONF)
            && (writes || is_ping)
            && let Some(why) = server.aof.write_error()
        {
            return Some(Refusal::LogFailed(why));
        }
        (gates.closed(Gates::LOADING) && !command.has(Flags::LOADING)).then_some(Refusal::Loading)
    }

    /// What the client is told.
    pub(crate) fn error(self) -> CommandError {
        match self {
            Refusal::Loading => LOADING,
            Refusal::SaveFailed => MISCONF_RDB,
            Refusal::LogFailed(why) => {
                let text = format!("MISCONF Errors writing to the AOF file: {why}");
                CommandError::Text(text.into())
            }
        }
    }
}
