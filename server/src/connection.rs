//! One connection: its bytes on the way in and out. What its client has agreed upon is in `session`.
//!
//!            bytes come            all run                   output gone
//!   idle ───────────────▶ serving ─────────▶ idle      ending ───────────▶ closed
//!    ▲                      │  ▲
//!    │                 Busy,│  │retry         `ending`: QUIT, protocol error, limit: what was said
//!    └──────────────────────▼──┘              leaves first, nothing more is read
//!                        parked
//!
//! | state | holds |
//! |---|---|
//! | idle | the parser and the session: no buffer |
//! | after a large word | a receive buffer of its own, until it is idle (`worker/buffers.rs`) |
//! | half a request | `rest`, of its size; or `blob`, of the word's size |
//! | serving, parked | an `Input` |
//! | slow reader | `reply` grows, bounded by `client-output-buffer-limit` |
//!
//! K1  at most one receive and one send are under way; no receive while parked or ending, but one
//!     while a command waits for a key.
//! K2  bytes of pushes stand behind the reply that was made before them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use io::Token;
use resp::{Limits, Parser, Proto, Reply};

use crate::clients::{Client, ClientFlags};
use crate::desk::Desk;
use crate::input::Input;
use crate::session::Session;
use crate::table::CommandId;
use crate::worker::buffers::{OwnBuffer, ReplyRoom};

/// Why a connection waits with a command in its hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A shard was held by another worker.
    Shard,
    /// A gate was closed: CLIENT PAUSE.
    Gate,
    /// Nothing is there yet for a blocking command.
    Key,
    /// Something takes its time: a save, the way out (`Session::awaits`).
    Job,
}

/// A large word that is being received apart.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// What has come of it; empty while the driver fills it.
    pub(crate) bytes: Vec<u8>,
    /// How much that was when it was last in hand.
    pub(crate) came: usize,
    /// What was reserved for it then; beyond `came` it has not been touched.
    reserved: usize,
    pub(crate) len: usize,
}

/// The line end behind a word comes into the word's own vector and is cut off there: a word is handed to
/// the parser when the request goes on.
pub(crate) const LINE_END: usize = 2;

impl Incoming {
    pub(crate) fn new(bytes: Vec<u8>, len: usize) -> Incoming {
        Incoming {
            came: bytes.len(),
            reserved: bytes.capacity(),
            bytes,
            len,
        }
    }
}

/// What the driver has been asked to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiving {
    Nothing,
    Pool,
    Blob,
    /// Into the connection's own buffer.
    Own,
}

/// See the page.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) token: Token,
    pub(crate) client: Arc<Client>,
    pub(crate) session: Session,
    pub(crate) parser: Parser,
    pub(crate) rest: Vec<u8>,
    pub(crate) blob: Option<Incoming>,
    pub(crate) own: OwnBuffer,
    pub(crate) input: Option<Box<Input>>,
    pub(crate) parked: Option<Wait>,
    /// In the server's count of blocked clients.
    pub(crate) is_counted_paused: bool,
    pub(crate) reply: Reply,
    pub(crate) reply_room: ReplyRoom,
    pub(crate) receiving: Receiving,
    /// Bytes that the driver still has to send.
    pub(crate) sending_bytes: usize,
    /// The peer has said all that it says: served, then closed.
    pub(crate) peer_ended: bool,
    /// The newest write that its output depends on, while replies wait for the log.
    pub(crate) depends_on: u64,
    /// Its output waits for the log: it is neither sent nor served (`worker/held.rs`).
    pub(crate) is_held: bool,
    /// It has something to be served when it is let go.
    pub(crate) waits_in_hold: bool,
    /// Closed as soon as its output has left.
    pub(crate) ending: bool,
    /// In the turn's list of connections with output.
    pub(crate) is_dirty: bool,
    /// Since when the output is above the soft limit.
    pub(crate) soft_since_ms: Option<i64>,
    pub(crate) last_command: Option<CommandId>,
    pub(crate) active_ms: i64,
    pub(crate) net_in: u64,
    pub(crate) net_out: u64,
    pub(crate) commands: u64,
}

/// Output that no limit counts: Redis's size of a client's own buffer.
const OUTPUT_FREE: usize = 16 * 1024;

/// What a buffer of the driver's pool holds.
const POOL_BYTES: usize = 16 * 1024;

/// What a watched key takes, about: its copies in the session and in its shard.
const WATCH_BYTES: usize = 128;

impl Connection {
    pub(crate) fn new(token: Token, client: Arc<Client>, desk: &Desk) -> Connection {
        Connection {
            token,
            client,
            session: Session::new(desk.live.requirepass.is_none()),
            parser: Parser::new(),
            rest: Vec::new(),
            blob: None,
            own: OwnBuffer::default(),
            input: None,
            parked: None,
            is_counted_paused: false,
            reply: Reply::default(),
            reply_room: ReplyRoom::new(desk.monotonic_ms),
            receiving: Receiving::Nothing,
            sending_bytes: 0,
            peer_ended: false,
            depends_on: 0,
            is_held: false,
            waits_in_hold: false,
            ending: false,
            is_dirty: false,
            soft_since_ms: None,
            last_command: None,
            active_ms: desk.monotonic_ms,
            net_in: 0,
            net_out: 0,
            commands: 0,
        }
    }

    /// What the client may send.
    pub(crate) fn limits(&self, desk: &Desk) -> Limits {
        Limits {
            bulk_bytes_max: desk.live.settings.string_bytes_max,
            before_login: !self.session.authenticated,
            ..Limits::default()
        }
    }

    /// Whether more may be received (K1). Who waits for a key is read, so that its end is noticed; but
    /// not in the middle of a large word.
    pub(crate) fn may_receive(&self) -> bool {
        match self.parked {
            None => true,
            Some(Wait::Key) => self.input.as_ref().is_some_and(|input| input.can_grow()),
            Some(Wait::Shard | Wait::Gate | Wait::Job) => false,
        }
    }

    /// Bytes received and not yet cut into words. What stands before a large word has been.
    pub(crate) fn query_bytes(&self) -> usize {
        self.query_bytes_with(self.input.as_ref().map_or(0, |input| input.bytes.len()))
    }

    fn query_bytes_with(&self, input: usize) -> usize {
        input + self.blob.as_ref().map_or(self.rest.len(), |blob| blob.came)
    }

    /// Bytes of the words of half a request.
    pub(crate) fn words_bytes(&self) -> usize {
        let before = self.blob.as_ref().map_or(0, |_| self.rest.len());
        before + self.parser.memory_bytes()
    }

    /// Bytes said and not yet gone.
    pub(crate) fn output_bytes(&self) -> usize {
        self.reply.len() + self.sending_bytes
    }

    /// Those of them that CLIENT LIST calls `omem` and that `client-output-buffer-limit` is about: none as
    /// long as all would fit into the buffer that each client of Redis has.
    pub(crate) fn output_beyond(&self) -> usize {
        match self.output_bytes() {
            ..=OUTPUT_FREE => 0,
            bytes => bytes,
        }
    }

    /// The most that may be said before the output is above `hard_bytes`.
    pub(crate) fn reply_ceiling(&self, hard_bytes: u64) -> usize {
        match usize::try_from(hard_bytes).unwrap_or(usize::MAX) {
            0 => usize::MAX,
            bytes => bytes.max(OUTPUT_FREE).saturating_sub(self.sending_bytes),
        }
    }

    /// Which of `client-output-buffer-limit`'s classes it belongs to.
    pub(crate) fn class(&self) -> usize {
        if self.session.is_subscriber { 2 } else { 0 }
    }

    /// The marks of CLIENT LIST.
    fn flags(&self) -> u32 {
        let mark = |is: bool, flag: u32| if is { flag } else { 0 };
        let session = &self.session;
        mark(session.in_multi(), ClientFlags::MULTI)
            | mark(
                session.watcher.as_ref().is_some_and(|w| w.is_dirty()),
                ClientFlags::DIRTY_CAS,
            )
            | mark(session.monitor, ClientFlags::MONITOR)
            | mark(session.is_subscriber, ClientFlags::PUBSUB)
            | mark(
                session.close_after_reply || self.ending,
                ClientFlags::CLOSE_AFTER_REPLY,
            )
            | mark(
                matches!(self.client.peer, io::Address::Unix(_)),
                ClientFlags::UNIX_SOCKET,
            )
            | mark(session.no_evict, ClientFlags::NO_EVICT)
            | mark(session.no_touch, ClientFlags::NO_TOUCH)
            | mark(session.readonly, ClientFlags::READONLY)
            | mark(session.import_source, ClientFlags::IMPORT_SOURCE)
            | mark(session.capa_redirect, ClientFlags::CAPA_REDIRECT)
            | mark(self.parked.is_some(), ClientFlags::BLOCKED)
    }

    /// Publishes what others may read.
    pub(crate) fn publish(&self) {
        self.publish_with(self.input.as_deref());
    }

    /// The same while `input` has been taken out to be served.
    pub(crate) fn publish_with(&self, input: Option<&Input>) {
        let figures = &self.client.figures;
        let session = &self.session;
        // Relaxed: figures for people, each on its own.
        figures.active_ms.store(self.active_ms, Relaxed);
        figures
            .last_command
            .store(self.last_command.map_or(0, |id| id.0 + 1), Relaxed);
        figures.db.store(session.db, Relaxed);
        let (queued, multi_bytes) = match &session.multi {
            Some(multi) => (
                i32::try_from(multi.queue.len()).unwrap_or(i32::MAX),
                multi.bytes,
            ),
            None => (-1, 0),
        };
        figures.multi.store(queued, Relaxed);
        figures.multi_bytes.store(multi_bytes as u64, Relaxed);
        figures.watched.store(session.watched, Relaxed);
        figures.flags.store(self.flags(), Relaxed);
        figures.proto.store(
            if self.reply.proto() == Proto::Resp2 {
                2
            } else {
                3
            },
            Relaxed,
        );
        let sizes = |input: &Input| (input.bytes.len(), input.bytes.capacity());
        let (used, capacity) = input.map_or((0, 0), sizes);
        let query = self.query_bytes_with(used);
        figures.query_bytes.store(query as u64, Relaxed);
        let apart = self.rest.capacity() + self.own.held(self.receiving);
        let free = capacity + apart - used.min(capacity) - self.rest.len();
        figures.query_free.store(free as u64, Relaxed);
        figures.argv_bytes.store(self.words_bytes() as u64, Relaxed);
        let (room, peak) = self.reply_room.figures();
        figures.reply_capacity.store(room as u64, Relaxed);
        figures.reply_peak.store(peak as u64, Relaxed);
        let beyond = self.output_beyond();
        let within = self.output_bytes() - beyond;
        figures.output_bytes.store(within as u64, Relaxed);
        let pieces = beyond.div_ceil(OUTPUT_FREE);
        figures
            .output_pieces
            .store(u32::try_from(pieces).unwrap_or(u32::MAX), Relaxed);
        figures.output_list_bytes.store(beyond as u64, Relaxed);
        figures.is_sending.store(self.sending_bytes > 0, Relaxed);
        figures.net_in.store(self.net_in, Relaxed);
        figures.net_out.store(self.net_out, Relaxed);
        figures.commands.store(self.commands, Relaxed);
        let subscription_bytes = if session.is_subscriber {
            self.client.subscription_bytes()
        } else {
            0
        };
        let tracking_bytes = match session.tracking {
            Some(_) => self.client.tracking_bytes(),
            None => 0,
        };
        // Buffers and vectors that go round among a worker's connections do not count while a request is
        // on its way through them: or what all hold would change with every command.
        let is_passing = capacity <= POOL_BYTES && self.parked.is_none();
        let input_bytes = apart + if is_passing { 0 } else { capacity };
        let output = self.output_bytes();
        let is_passing = output <= OUTPUT_FREE && self.sending_bytes == 0;
        let output_held = if is_passing { 0 } else { output };
        let memory = size_of::<Connection>()
            + input_bytes
            // A client leaves before it sends what it has no room for.
            + self.blob.as_ref().map_or(0, |blob| blob.reserved)
            + self.parser.memory_bytes()
            + multi_bytes
            + session.kept.bytes()
            + subscription_bytes
            + tracking_bytes
            + session.watched as usize * WATCH_BYTES
            + output_held;
        self.client.holds(memory as u64);
    }
}
