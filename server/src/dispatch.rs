//! A request becomes a command that runs, is queued, waits, or is refused.
//!
//!   words ─ known? ─ arity ─ may debug? ─ logged in? ─ in MULTI? ─ memory ─ subscriber? ─ queue ─ locks ─ gates ─ run
//!             └───────┴───────────┴────────────┴───────────┴─────────┴──────────┘ refused      └ Busy  └ closed: parked
//!
//! The order of the checks is Redis's, because the first that fails is the error that clients test for.
//! A refusal inside MULTI spoils the transaction; a refused EXEC ends it, and says EXECABORT.
//!
//! D1  a request is answered exactly once, or parked and dispatched again from the start with nothing
//!     changed.
//! D2  a panic before the unit's first change costs the connection alone; after it the process ends
//!     with a report, because a half-changed shard must not be served.
//! D3  what a command left for after the unlocking is said before the next request is looked at.
//! D4  nothing is allocated on the way of GET, SET of a small value, INCR.
//!
//! Checked by: server/tests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use commands::CommandError;
use commands::spec::{Flags, Group};
use resp::{Args, OwnedArgs, Proto, Reply};
use store::{Plan, Scratch, Spot, Turn};

use crate::admin::{self, AdminCall};
use crate::blocking;
use crate::clients::Client;
use crate::connection::Wait;
use crate::desk::Desk;
use crate::evict::Room;
use crate::execute::{self, Ran};
use crate::gates::{gates_for, kept_back, refusal};
use crate::live::Protected;
use crate::log;
use crate::persistence::REFUSING;
use crate::plan::{KeyShape, lone_key, plan};
use crate::pubsub::Teller;
use crate::server::Server;
use crate::session::{Awaited, Queued, ReplyMode, Session};
use crate::table::{Command, CommandId, Special};
use crate::unknown::wrong_arity;

const NO_AUTH: CommandError = CommandError::Fixed("NOAUTH Authentication required.");
const OOM: CommandError =
    CommandError::Fixed("OOM command not allowed when used memory > 'maxmemory'.");

/// What a worker needs to serve requests.
#[derive(Debug)]
pub(crate) struct Engine<'w> {
    pub(crate) server: &'w Arc<Server>,
    pub(crate) desk: Desk,
    pub(crate) scratch: Scratch,
    pub(crate) shards: Vec<usize>,
    /// The same with those of waiters added.
    pub(crate) more: Vec<usize>,
}

/// The parts of a connection that its commands see.
pub(crate) struct Seat<'c> {
    pub(crate) session: &'c mut Session,
    pub(crate) client: &'c Arc<Client>,
    pub(crate) reply: &'c mut Reply,
    /// How often this request has found a shard held.
    pub(crate) tries: u32,
    /// Where the request's lone key lies, if that is known already.
    pub(crate) spot: Option<Spot>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// It has been answered.
    Answered,
    /// It has to come again.
    Parked(Wait),
    /// The connection is to be closed at once.
    Broken,
}

impl Engine<'_> {
    /// Serves one request.
    #[inline]
    pub(crate) fn serve(
        &mut self,
        seat: &mut Seat<'_>,
        id: Option<CommandId>,
        args: Args<'_>,
    ) -> Served {
        let silent = seat.session.reply_mode != ReplyMode::On;
        if !silent {
            let served = self.judge(seat, id, args);
            if seat.session.tracking.is_some() {
                self.settle_caching(seat, id, served);
            }
            if seat.session.reply_mode == ReplyMode::On {
                return served;
            }
        }
        self.serve_silent(seat, silent, id, args)
    }

    /// CLIENT REPLY OFF and SKIP: what is said is unsaid.
    #[cold]
    fn serve_silent(
        &mut self,
        seat: &mut Seat<'_>,
        was_silent: bool,
        id: Option<CommandId>,
        args: Args<'_>,
    ) -> Served {
        if !was_silent {
            // CLIENT REPLY OFF or SKIP has just run, and itself says nothing.
            return Served::Answered;
        }
        let skip = seat.session.reply_mode == ReplyMode::SkipNext;
        if skip {
            seat.session.reply_mode = ReplyMode::Skipping;
        }
        let mark = seat.reply.mark();
        self.desk.unsilenced.clear();
        let served = self.judge(seat, id, args);
        self.settle_caching(seat, id, served);
        match served {
            Served::Parked(_) if skip => seat.session.reply_mode = ReplyMode::SkipNext,
            _ if seat.session.reply_mode != ReplyMode::On => {
                seat.reply.truncate_to(mark);
                seat.reply.raw(&self.desk.unsilenced);
            }
            _ => {}
        }
        if seat.session.reply_mode == ReplyMode::Skipping {
            seat.session.reply_mode = ReplyMode::On;
        }
        served
    }

    /// CLIENT CACHING holds for the next command that is none of CLIENT's, or for a transaction.
    #[cold]
    fn settle_caching(&self, seat: &mut Seat<'_>, id: Option<CommandId>, served: Served) {
        let is_of_client = id.is_some_and(|id| {
            let command = self.server.commands.command(id);
            command.full_name.starts_with("client|")
        });
        let in_multi = seat.session.in_multi();
        if let Some(mode) = &mut seat.session.tracking
            && !(is_of_client || in_multi || matches!(served, Served::Parked(_)))
        {
            mode.caching = false;
        }
    }

    /// Checks a request and runs, queues, parks or refuses it.
    #[inline]
    fn judge(&mut self, seat: &mut Seat<'_>, id: Option<CommandId>, args: Args<'_>) -> Served {
        let server = self.server;
        let Some(id) = id else {
            return self.unknown(seat, server, args);
        };
        let command = server.commands.command(id);
        if let Err(error) = self.check(seat, command, args) {
            seat.session.again = None;
            self.refuse(seat, Some(command), &error);
            return Served::Answered;
        }
        if seat.session.in_multi() && command.special == Special::None {
            return self.queue(seat, command, args);
        }
        self.run(seat, server, command, args)
    }

    /// Inside MULTI: keeps a command for EXEC.
    #[cold]
    fn queue(&mut self, seat: &mut Seat<'_>, command: &Command, args: Args<'_>) -> Served {
        if self
            .server
            .store
            .gates(self.desk.clock_ms)
            .closed(gates_for(command, seat.session))
        {
            self.desk.figures.parked_gate.add(1);
            return Served::Parked(Wait::Gate);
        }
        if let Some(multi) = &mut seat.session.multi {
            if !multi.aborted {
                let Some(args) = args.try_to_owned() else {
                    self.refuse(seat, Some(command), &CommandError::Refused);
                    return Served::Answered;
                };
                multi.bytes += args.memory_bytes() + size_of::<Queued>();
                multi.flags |= command.spec.flags.0;
                multi.queue.push_back(Queued {
                    command: command.id,
                    args,
                });
            }
            seat.reply.raw(resp::shared::QUEUED);
        }
        Served::Answered
    }

    /// Everything that can refuse a known command before its locks.
    #[inline]
    fn check(
        &mut self,
        seat: &Seat<'_>,
        command: &Command,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        if !command.spec.arity.accepts(args.len()) {
            return Err(wrong_arity(command));
        }
        // All that is rare is looked at behind one test.
        let flags = command.spec.flags;
        let session = &*seat.session;
        if command.is_protected || !session.authenticated || session.multi.is_some() {
            self.check_rare(seat, command)?;
        }
        if self.desk.live.maxmemory > 0 && self.room() == Room::None {
            let queued = seat.session.multi.as_ref().map_or(0, |multi| multi.flags);
            let is_exec = command.special == Special::Exec;
            // A queue takes memory as well, whatever is queued.
            let queues = seat.session.in_multi() && command.special == Special::None;
            if queues
                || flags.meets(Flags::DENY_OOM)
                || (is_exec && queued & Flags::DENY_OOM.0 != 0)
            {
                return Err(OOM);
            }
        }
        let gates = self.server.store.gates(self.desk.clock_ms);
        if gates.closed(REFUSING)
            && let Some(refusal) =
                refusal(self.server, &self.desk.live, seat.session, command, gates)
        {
            return Err(refusal.error());
        }
        if seat.session.is_subscriber && seat.reply.proto() == Proto::Resp2 {
            admin::pubsub::check_subscriber(command)?;
        }
        Ok(())
    }

    #[cold]
    fn check_rare(&self, seat: &Seat<'_>, command: &Command) -> Result<(), CommandError> {
        if command.is_protected {
            let (switch, name, option) = if command.spec.name == "debug" {
                (
                    self.desk.live.enable_debug_command,
                    "DEBUG",
                    "enable-debug-command",
                )
            } else {
                (
                    self.desk.live.enable_module_command,
                    "MODULE",
                    "enable-module-command",
                )
            };
            let allowed = match switch {
                Protected::No => false,
                Protected::Yes => true,
                Protected::Local => seat.client.peer.is_local(),
            };
            if !allowed {
                let text = format!(
                    "ERR {name} command not allowed. If the {option} option is set to \"local\", you \
                     can run it from a local connection, otherwise you need to set this option in the \
                     configuration file, and then restart the server."
                );
                return Err(CommandError::Text(text.into()));
            }
        }
        if !seat.session.authenticated && !command.has(Flags::NO_AUTH) {
            return Err(NO_AUTH);
        }
        // MULTI and WATCH have the flag as well, and texts of their own.
        if seat.session.in_multi()
            && command.has(Flags::NO_MULTI)
            && command.special == Special::None
        {
            return Err(CommandError::Fixed(
                "ERR Command not allowed inside a transaction",
            ));
        }
        Ok(())
    }

    /// Locks, looks at the gates, runs, lets go.
    #[inline]
    fn run(
        &mut self,
        seat: &mut Seat<'_>,
        server: &Arc<Server>,
        command: &Command,
        args: Args<'_>,
    ) -> Served {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if seat.session.again.is_some() {
                self.run_anew(seat, server, command)
            } else if command.needs_unit {
                self.run_in_unit(seat, server, command, args)
            } else {
                self.run_bare(seat, server, command, args)
            }
        }));
        match outcome {
            Ok(served) => served,
            Err(_) => self.survive_panic(seat, command),
        }
    }

    /// A command whose wait was ended for this: its words are those that it waited with, and its time
    /// goes on.
    #[cold]
    fn run_anew(&mut self, seat: &mut Seat<'_>, server: &Arc<Server>, command: &Command) -> Served {
        let again = seat.session.again.clone().expect("the caller has looked");
        let served = self.run_in_unit(seat, server, command, again.args.as_args());
        if !matches!(served, Served::Parked(Wait::Shard | Wait::Gate)) {
            seat.session.again = None;
        }
        served
    }

    #[inline]
    fn run_in_unit(
        &mut self,
        seat: &mut Seat<'_>,
        server: &Arc<Server>,
        command: &Command,
        args: Args<'_>,
    ) -> Served {
        if server.store.is_snapshot_over() && self.waits_for_saver(gates_for(command, seat.session))
        {
            return Served::Parked(Wait::Gate);
        }
        let lone_key = lone_key(command, args, &server.store, seat.spot);
        let mut plan = plan(
            command,
            lone_key.map(|(_, key)| key),
            args,
            seat.session,
            &server.store,
            &server.commands,
            &mut self.shards,
        );
        if server.blocked.any() {
            plan =
                blocking::with_waiters(plan, server, seat.session, command, args, &mut self.more);
        }
        let is_wide = matches!(plan, Plan::Wide);
        let teller = Teller::new(server, self.desk.worker, Some(seat.client.id));
        let turn = Turn {
            worker: self.desk.worker,
            db: seat.session.db,
            clock_ms: self.desk.clock_ms,
            tries: seat.tries,
            no_touch: seat.session.no_touch,
            witness: Some(&teller),
            scratch: &mut self.scratch,
        };
        let Ok(mut unit) = server.store.begin(plan, turn) else {
            self.desk.figures.parked_busy.add(1);
            return Served::Parked(Wait::Shard);
        };
        if let Some(wait) = kept_back(server, &self.desk, seat.session, command, unit.gates()) {
            return Served::Parked(wait);
        }
        let before = is_wide.then(|| seat.reply.mark());
        let ran = execute::run(&mut AdminCall {
            args,
            command,
            lone_key,
            unit: Some(&mut unit),
            reply: &mut *seat.reply,
            may_block: true,
            server,
            desk: &mut self.desk,
            session: &mut *seat.session,
            client: seat.client,
        });
        if let Ran::Blocks(block) = &ran {
            blocking::block(server, &mut unit, seat, command, args, block);
        }
        if unit.has_ready() {
            blocking::serve(server, &mut self.desk, &mut unit);
        }
        let done = unit.finish();
        self.note_dependence(command, done.depends_on);
        if !self.desk.unsaid.is_empty() {
            self.say_unsaid(seat, server, args);
        }
        self.desk.has_letters |= teller.has_own();
        if done.dirty > 0 {
            server.changes.add(self.desk.worker, done.dirty);
            if let Some(mark) = before
                && self.save_after_flush(seat, server, command)
            {
                seat.reply.truncate_to(mark);
                return Served::Parked(Wait::Job);
            }
        }
        self.served(seat, command, &ran)
    }

    /// What a run means for its request.
    #[inline]
    fn served(&mut self, seat: &mut Seat<'_>, command: &Command, ran: &Ran) -> Served {
        match ran {
            Ran::Answered => Served::Answered,
            Ran::Busy => {
                self.desk.figures.parked_busy.add(1);
                Served::Parked(Wait::Shard)
            }
            Ran::Awaits => Served::Parked(Wait::Job),
            Ran::Blocks(_) if seat.session.blocked.is_some() => Served::Parked(Wait::Key),
            Ran::Blocks(_) => {
                self.refuse(seat, Some(command), &CommandError::Refused);
                Served::Answered
            }
        }
    }

    /// What the unit's commands left for after the unlocking.
    #[cold]
    fn say_unsaid(&mut self, seat: &mut Seat<'_>, server: &Arc<Server>, request: Args<'_>) {
        for mut unsaid in std::mem::take(&mut self.desk.unsaid) {
            let queued = unsaid.args.take();
            let mut call = AdminCall {
                may_block: false,
                args: queued.as_ref().map_or(request, OwnedArgs::as_args),
                command: server.commands.command(unsaid.command),
                lone_key: None,
                unit: None,
                reply: &mut *seat.reply,
                server,
                desk: &mut self.desk,
                session: &mut *seat.session,
                client: seat.client,
            };
            execute::say(&mut call, unsaid);
        }
    }

    fn run_bare(
        &mut self,
        seat: &mut Seat<'_>,
        server: &Arc<Server>,
        command: &Command,
        args: Args<'_>,
    ) -> Served {
        if server
            .store
            .gates(self.desk.clock_ms)
            .closed(gates_for(command, seat.session))
        {
            self.desk.figures.parked_gate.add(1);
            return Served::Parked(Wait::Gate);
        }
        if command.spec.group != Group::Connection {
            self.note_dependence(command, 0);
        }
        let ran = execute::run(&mut AdminCall {
            args,
            command,
            lone_key: None,
            unit: None,
            reply: &mut *seat.reply,
            may_block: true,
            server,
            desk: &mut self.desk,
            session: &mut *seat.session,
            client: seat.client,
        });
        match ran {
            Ran::Awaits => Served::Parked(Wait::Job),
            _ => Served::Answered,
        }
    }

    /// A1 of docs/design/persistence.md: what a reply has seen. A command without keys, and EXEC, which may
    /// have failed for what others wrote, may have seen anything.
    #[inline]
    fn note_dependence(&mut self, command: &Command, seen: u64) {
        if self.desk.holds_replies {
            let is_keyed = command.key_shape != KeyShape::None && command.special != Special::Exec;
            let newest = || self.server.store.newest_write();
            let number = if is_keyed { seen } else { newest() };
            self.desk.depends_on = self.desk.depends_on.max(number);
        }
    }

    /// What a command that held everything means for the file: FLUSHALL empties it, too. Whether the
    /// command's answer is to wait for that.
    #[cold]
    fn save_after_flush(
        &mut self,
        seat: &mut Seat<'_>,
        server: &Arc<Server>,
        command: &Command,
    ) -> bool {
        if command.spec.name != "flushall" {
            return false;
        }
        let turn = Turn::new(self.desk.worker, 0, self.desk.clock_ms, &mut self.scratch);
        let mut unit = server
            .store
            .begin(Plan::OneByOne, turn)
            .expect("a unit that holds nothing is never refused");
        let job = server.save_after_flush(&mut unit, &self.desk.live.save_points);
        seat.session.awaits = job.map(Awaited::Aftermath);
        seat.session.awaits.is_some()
    }

    /// D2.
    #[cold]
    fn survive_panic(&mut self, seat: &Seat<'_>, command: &Command) -> Served {
        self.desk.unsaid.clear();
        if self.server.store.is_half_changed() {
            log::warning(format_args!(
                "A panic in '{}' has left a shard half changed: stopping at once",
                command.full_name
            ));
            os::crash::end_after_panic();
        }
        log::warning(format_args!(
            "A panic in '{}' changed nothing; closing its client id={} addr={}",
            command.full_name, seat.client.id.0, seat.client.peer
        ));
        self.desk.figures.panics.add(1);
        Served::Broken
    }

    /// Answers with an error before the command has run.
    #[cold]
    pub(crate) fn refuse(
        &mut self,
        seat: &mut Seat<'_>,
        command: Option<&Command>,
        error: &CommandError,
    ) {
        let text = error.text();
        if let Some(command) = command {
            self.desk.figures.command(command.id).rejected.add(1);
        }
        if command.is_some_and(|command| command.special == Special::Exec)
            && seat.session.multi.take().is_some()
        {
            if let Some(watcher) = seat.session.watcher.take() {
                self.server.store.unwatch(&watcher);
                seat.session.watched = 0;
                self.server.watching_clients.fetch_sub(1, Ordering::Relaxed);
            }
            let text = format!("EXECABORT Transaction discarded because of: {text}");
            return self.answer_error(seat, &text);
        }
        seat.session.abort_multi();
        self.answer_error(seat, &text);
    }

    fn answer_error(&mut self, seat: &mut Seat<'_>, text: &str) {
        seat.reply.error(text.as_bytes());
        self.desk.figures.error_replies.add(1);
        self.desk.statistics.count_error(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{Listening, Wanted};
    use crate::live::Live;
    use crate::server::Start;
    use crate::table::Run;
    use crate::worker::Worker;
    use io::sim::{Net, Peer, Weather};

    /// Sends `bytes` to a server whose ECHO panics; what comes back, and whether it then closes.
    fn ask(
        net: &Net,
        worker: &mut Worker<'_, io::sim::SimLoop>,
        peer: &mut Peer,
    ) -> (String, bool) {
        let mut got = Vec::new();
        for _ in 0..200 {
            worker.turn();
            net.advance(std::time::Duration::from_millis(1));
            if peer.receive(&mut got, 1_000).is_ok_and(|n| n == 0) {
                return (String::from_utf8(got).expect("text"), true);
            }
        }
        (String::from_utf8(got).expect("text"), false)
    }

    /// A server on one worker in a calm world, with other handlers for some commands, and its address.
    fn with_server(
        runs: &[(&str, Run)],
        test: impl FnOnce(&Arc<Server>, &Net, &mut Worker<'_, io::sim::SimLoop>, &io::Address),
    ) {
        let start = Start {
            workers: 1,
            renames: Vec::new(),
            seed: 1,
            run_id: String::new(),
            port: 0,
        };
        let mut server = Server::new(start, Live::default()).expect("no renames");
        let commands = &mut Arc::get_mut(&mut server)
            .expect("nobody else has it")
            .commands;
        for (name, run) in runs {
            commands.replace(name, *run);
        }
        let at = io::ListenAt::Tcp("127.0.0.1:0".parse().expect("an address"));
        let wanted = vec![Wanted {
            at,
            optional: false,
        }];
        *server.listening.lock() = Listening {
            wanted,
            ..Listening::default()
        };
        let net = Net::new(1, Weather::calm());
        let mut worker = Worker::new(0, &server, net.driver());
        worker.listen().expect("nobody else listens");
        let address = server.addresses.lock()[0].clone();
        test(&server, &net, &mut worker, &address);
    }

    #[test]
    fn a_panic_before_any_change_costs_one_connection() {
        let runs = [
            ("echo", Run::Admin(|_| panic!("planted"))),
            ("get", Run::Data(|_| panic!("planted, with a shard held"))),
            (
                "strlen",
                Run::Data(|call| call.later(|_| panic!("planted, after unlocking"))),
            ),
        ];
        with_server(&runs, |server, net, worker, address| {
            let mut bystander = net.connect(address).expect("it listens");
            for (line, count) in [
                ("set k 1\r\necho x\r\nset k 2\r\n", ":2\r\n"),
                ("get k\r\nset k 2\r\n", ":3\r\n"),
                ("strlen k\r\nset k 2\r\n", ":4\r\n"),
            ] {
                let mut peer = net.connect(address).expect("it listens");
                peer.send(line.as_bytes()).expect("there is room");
                let nothing = (String::new(), true);
                assert_eq!(ask(net, worker, &mut peer), nothing, "{line}");
                // The shard is free again, and what came before the panic stands.
                bystander.send(b"incr k\r\n").expect("there is room");
                let reply = ask(net, worker, &mut bystander);
                assert_eq!(reply, (count.to_owned(), false), "{line}");
            }
            assert_eq!(server.statistics().totals().panics, 3);
            assert_eq!(server.clients.len(), 1);
        });
    }

    thread_local! {
        static SERVER: std::cell::RefCell<Option<Arc<Server>>> = const { std::cell::RefCell::new(None) };
    }

    /// Whether another worker would find the shard of `k` free.
    fn is_free() -> bool {
        SERVER.with_borrow(|server| {
            let store = &server.as_ref().expect("the test has set it").store;
            let plan = store::Plan::Narrow(store.key(b"k").shard());
            let mut scratch = Scratch::new();
            store.begin(plan, Turn::new(0, 0, 1, &mut scratch)).is_ok()
        })
    }

    /// GET as a command that leaves its reply for later: `held` and `free` for the shard's state.
    fn late(call: &mut commands::Call<'_, '_>) -> Result<(), CommandError> {
        let key = call.key(1);
        let value = call.unit.read_string(key)?.map(store::Str::pin);
        let before = if is_free() { "free" } else { "held" };
        call.later(move |reply| {
            let value = value.ok_or(CommandError::NoSuchKey)?;
            reply.array(4);
            reply.null();
            reply.simple(before.as_bytes());
            reply.simple(if is_free() { b"free" } else { b"held" });
            reply.bulk(value.as_str().bytes(&mut [0; 20]));
            Ok(())
        })
    }

    /// What a command left for later is said without locks, at its place, with what was pinned.
    #[test]
    fn late_replies_stand_where_they_belong() {
        with_server(
            &[("get", Run::Data(late))],
            |server, net, worker, address| {
                SERVER.set(Some(server.clone()));
                let mut peer = net.connect(address).expect("it listens");
                let mut check = |lines: &str, expected: &str| {
                    let lines = lines.replace('~', "\r\n");
                    peer.send(lines.as_bytes()).expect("there is room");
                    let mut reply = ask(net, worker, &mut peer).0.replace("\r\n", "~");
                    if let (Some(from), Some(to)) = (reply.find("%7~"), reply.find("modules~*0~")) {
                        reply.replace_range(from + 3..to + 10, " what HELLO says ");
                    }
                    assert_eq!(reply, expected, "{lines}");
                };
                check("set k 1~get k~incr k~", "+OK~*4~$-1~+held~+free~$1~1~:2~");
                check("get none~ping~", "-ERR no such key~+PONG~");
                // Inside EXEC: several, at the beginning, in the middle and at the end; one that fails; a
                // change of protocol between them.
                check(
                    "multi~get k~incr k~get none~get k~hello 3~get none~ping~get k~exec~",
                    &[
                        &format!("+OK~{}*8~", "+QUEUED~".repeat(8)),
                        "*4~$-1~+held~+free~$1~2~",
                        ":3~",
                        "-ERR no such key~",
                        "*4~$-1~+held~+free~$1~3~",
                        "%7~ what HELLO says ~",
                        "-ERR no such key~+PONG~",
                        "*4~_~+held~+free~$1~3~",
                    ]
                    .concat(),
                );
                check("client reply off~get k~client reply on~", "+OK~");
                let get = server.commands.by_full_name("get").expect("it is there");
                let counted = server.statistics().command(get.id);
                assert_eq!((counted.calls, counted.failed), (8, 3));
                SERVER.set(None);
            },
        );
    }
}
