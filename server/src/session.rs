//! What a connection has agreed upon with its client: everything that RESET sets back.
//!
//! The connection (`connection.rs`) moves bytes; the session is what commands see and change. It is
//! the owner's alone; what others may read is published into `clients::Figures`.

use std::collections::VecDeque;
use std::sync::Arc;

use persist::Job;
use resp::OwnedArgs;
use store::Watcher;

use crate::aof::State;
use crate::blocking::Blocked;
use crate::server::Server;
use crate::table::CommandId;
use crate::tracking::Mode;

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every reply is sent.
    #[default]
    On,
    /// None is.
    Off,
    /// CLIENT REPLY SKIP was just called: the *next* command's reply is left out.
    SkipNext,
    /// That next command is running; CLIENT REPLY ON makes its own reply heard all the same.
    Skipping,
}

/// A command that waits for EXEC.
#[derive(Debug)]
pub struct Queued {
    /// Which one.
    pub command: CommandId,
    /// Its words.
    pub args: OwnedArgs,
}

/// MULTI's queue.
#[derive(Debug, Default)]
pub struct Multi {
    /// The commands, in order.
    pub queue: VecDeque<Queued>,
    /// One was refused: EXEC will be, too (EXECABORT).
    pub aborted: bool,
    /// Bytes of the queue, for `multi-mem`.
    pub bytes: usize,
    /// Flags of all queued commands joined: EXEC is refused where one of them would be.
    pub flags: u32,
}

/// What WAITAOF says where there is no log.
pub(crate) const NO_LOG: &str =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// What a command has begun and answers when it is over.
#[derive(Debug)]
pub enum Awaited {
    /// SAVE: `OK`, or that it failed.
    Save(Arc<Job>),
    /// A save behind something that has been done whatever becomes of the file: `OK`.
    Aftermath(Arc<Job>),
    /// SHUTDOWN: its connection closes, unless this try to stop is taken back.
    Stop(u64),
    /// WAITAOF: how many files hold the write of this number, or that too few do by now.
    Flush {
        /// The newest write when it was asked.
        number: u64,
        /// Whether our own file counts.
        local: bool,
        /// When the wait is over, by the wall clock, ms; 0: never.
        until_ms: i64,
    },
}

/// What is answered to whom something was to be awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `OK`.
    Fine,
    /// An error.
    Error(&'static str),
    /// How many of our own files, and of the replicas', hold what was asked for.
    Files(bool, u32),
}

impl Awaited {
    /// What is answered, once it is over.
    pub(crate) fn answer(&self, server: &Server, clock_ms: i64) -> Option<Answer> {
        match self {
            Awaited::Save(job) => job.outcome().map(|done| match done {
                true => Answer::Fine,
                false => Answer::Error("ERR"),
            }),
            Awaited::Aftermath(job) => job.outcome().map(|_| Answer::Fine),
            Awaited::Stop(attempt) => server
                .stop
                .has_ended(*attempt)
                .then_some(Answer::Error("ERR Errors trying to SHUTDOWN. Check logs.")),
            &Awaited::Flush {
                number,
                local,
                until_ms,
            } => {
                if local && server.aof.state() == State::Off {
                    return Some(Answer::Error(NO_LOG));
                }
                let log = server.aof.log();
                let is_flushed = log.is_some_and(|log| !log.tell_when_flushed(number));
                let is_over = until_ms != 0 && clock_ms >= until_ms;
                (is_flushed || !local || is_over).then_some(Answer::Files(is_flushed, 0))
            }
        }
    }
}

/// One client's state.
#[derive(Debug)]
pub struct Session {
    /// The selected database.
    pub db: u32,
    /// Whether it may do more than log in.
    pub authenticated: bool,
    /// MULTI's queue, inside a transaction.
    pub multi: Option<Box<Multi>>,
    /// Watched keys, once there are any.
    pub watcher: Option<Arc<Watcher>>,
    /// How many keys are watched.
    pub watched: u32,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT IMPORT-SOURCE.
    pub import_source: bool,
    /// READONLY.
    pub readonly: bool,
    /// CLIENT CAPA REDIRECT.
    pub capa_redirect: bool,
    /// The command that waits for a key, while one does.
    pub blocked: Option<Arc<Blocked>>,
    /// A wait that was ended so that the command runs anew (`Letter::Again`): its words and its time
    /// stay what they were.
    pub again: Option<Arc<Blocked>>,
    /// What a command that has begun waits for before it answers (SAVE, FLUSHALL, SHUTDOWN).
    pub awaits: Option<Awaited>,
    /// What data commands keep with the connection (HIMPORT).
    pub kept: commands::Kept,
    /// MONITOR.
    pub monitor: bool,
    /// CLIENT TRACKING.
    pub tracking: Option<Mode>,
    /// Subscribed to something: in RESP2 only a few commands may be called.
    pub is_subscriber: bool,
    /// Close when what has been answered has left: QUIT, protocol errors, a client that kills itself.
    pub close_after_reply: bool,
}

impl Session {
    /// A new connection's.
    #[must_use]
    pub fn new(authenticated: bool) -> Session {
        Session {
            db: 0,
            authenticated,
            multi: None,
            watcher: None,
            watched: 0,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            import_source: false,
            readonly: false,
            capa_redirect: false,
            blocked: None,
            again: None,
            awaits: None,
            kept: commands::Kept::default(),
            monitor: false,
            tracking: None,
            is_subscriber: false,
            close_after_reply: false,
        }
    }

    /// Whether its own commands may cause pushes to it.
    #[inline]
    #[must_use]
    pub fn hears_itself(&self) -> bool {
        self.is_subscriber || self.tracking.is_some()
    }

    /// Whether it is inside MULTI.
    #[must_use]
    pub fn in_multi(&self) -> bool {
        self.multi.is_some()
    }

    /// A queued command was refused: EXEC will fail.
    pub fn abort_multi(&mut self) {
        if let Some(multi) = &mut self.multi {
            multi.aborted = true;
        }
    }
}
