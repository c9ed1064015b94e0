//! What the loops of one simulated world share: who listens, what is due when, what time it is.

use super::SimLoop;
use super::wire::{End, Rng, Wire};
use crate::driver::real_monotonic;
use crate::socket::Kind;
use crate::{Address, ListenAt, Socket, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How long bytes travel.
    pub delay: Range<Duration>,
    /// Of a hundred reads, how many give less than is there.
    pub short_reads_percent: u32,
    /// Of a hundred writes, how many take less than fits and block for a while then.
    pub short_writes_percent: u32,
    /// Of a million writes, how many break the connection.
    pub resets_per_million: u32,
    /// What one direction of a connection holds.
    pub buffer_bytes: usize,
}

impl Weather {
    /// Nothing happens.
    pub fn calm() -> Weather {
        Weather {
            delay: Duration::ZERO..Duration::ZERO,
            short_reads_percent: 0,
            short_writes_percent: 0,
            resets_per_million: 0,
            buffer_bytes: 256 * 1024,
        }
    }

    /// Everything is late and in pieces, but arrives.
    pub fn stormy() -> Weather {
        Weather {
            delay: Duration::from_micros(10)..Duration::from_millis(5),
            short_reads_percent: 50,
            short_writes_percent: 50,
            ..Weather::calm()
        }
    }
}

/// What waits for a loop: tokens at which something may have changed.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inner: Mutex<Inbox>,
    signal: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    tokens: Vec<Token>,
    roused: bool,
}

/// A test that failed elsewhere says so itself; its locks are still good for the others' clean-up.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    pub(super) fn post(&self, token: Token) {
        lock(&self.inner).tokens.push(token);
        self.signal.notify_one();
    }

    pub(super) fn take(&self) -> Vec<Token> {
        std::mem::take(&mut lock(&self.inner).tokens)
    }

    pub(super) fn rouse(&self) {
        lock(&self.inner).roused = true;
        self.signal.notify_one();
    }

    fn is_empty(&self) -> bool {
        lock(&self.inner).tokens.is_empty()
    }

    /// Blocks, in real time, until something comes or `until`.
    fn block(&self, until: Option<Duration>) {
        let mut inner = lock(&self.inner);
        while inner.tokens.is_empty() && !inner.roused {
            let left = until.map(|at| at.saturating_sub(real_monotonic()));
            inner = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let woken = self.signal.wait_timeout(inner, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .signal
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        inner.roused = false;
    }
}

/// A listener, and who has connected and not been accepted.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: Address,
    mailbox: Arc<Mailbox>,
    token: Token,
    arrivals: Mutex<VecDeque<(Duration, Socket)>>,
}

impl Listening {
    /// Those who have arrived by `now`.
    pub(super) fn accept(&self, now: Duration) -> impl Iterator<Item = Socket> {
        let mut arrivals = lock(&self.arrivals);
        let (there, coming): (VecDeque<_>, _) = arrivals.drain(..).partition(|(at, _)| *at <= now);
        *arrivals = coming;
        there.into_iter().map(|(_, socket)| socket)
    }
}

/// Something that happens at its time.
enum Due {
    /// One end of a connection may see a change.
    Wire(Arc<Wire>, usize),
    /// A loop has something to look at.
    Post(Arc<Mailbox>, Token),
}

struct Event {
    at: Duration,
    /// Breaks ties in the order of scheduling.
    sequence: u64,
    due: Due,
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.sequence == other.sequence
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Event) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

struct Sleeper {
    mailbox: Arc<Mailbox>,
    waker: Waker,
    /// `None`: runs. Otherwise asleep until then, `MAX` for ever.
    until: Option<Duration>,
}

#[derive(Default)]
struct Schedule {
    events: BinaryHeap<Reverse<Event>>,
    scheduled: u64,
    loops: BTreeMap<u64, Sleeper>,
}

struct Shared {
    seed: u64,
    weather: Weather,
    threaded: bool,
    /// The virtual clock; relaxed, because a virtual net has one thread.
    now_ns: AtomicU64,
    /// What to add to it to have the wall clock's time; below zero when a test sets that far back.
    wall_offset_ns: AtomicI64,
    /// What a reading of the clock costs.
    step_ns: AtomicU64,
    /// Numbers for loops, connections and ports.
    numbers: AtomicU64,
    schedule: Mutex<Schedule>,
    listeners: Mutex<HashMap<Address, Arc<Listening>>>,
}

/// A simulated world. Clones are the same world.
#[derive(Clone)]
pub struct Net {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net")
            .field("seed", &self.shared.seed)
            .field("now", &self.now())
            .finish()
    }
}

impl Net {
    /// A world with a clock of its own, for one thread.
    pub fn new(seed: u64, weather: Weather) -> Net {
        Net::make(seed, weather, false)
    }

    /// A calm world in real time, for several threads.
    pub fn threaded() -> Net {
        Net::make(0, Weather::calm(), true)
    }

    fn make(seed: u64, weather: Weather, threaded: bool) -> Net {
        // A morning in 2023: late enough for every expiry in a test, early enough to be history.
        let wall_offset_ns = AtomicI64::new(1_700_000_000_000_000_000);
        let shared = Shared {
            seed,
            weather,
            threaded,
            now_ns: AtomicU64::new(0),
            wall_offset_ns,
            step_ns: AtomicU64::new(0),
            numbers: AtomicU64::new(1),
            schedule: Mutex::default(),
            listeners: Mutex::default(),
        };
        Net {
            shared: Arc::new(shared),
        }
    }

    /// A new loop.
    pub fn driver(&self) -> SimLoop {
        SimLoop::new(self.clone())
    }

    /// A client of the test's. Refused where nobody listens.
    pub fn connect(&self, to: &Address) -> io::Result<Peer> {
        Ok(Peer {
            end: self.reach(to)?.0,
        })
    }

    /// What the clock says.
    pub fn now(&self) -> Duration {
        if self.shared.threaded {
            return real_monotonic();
        }
        Duration::from_nanos(self.shared.now_ns.load(Ordering::Relaxed))
    }

    /// From here on a virtual clock moves by so much whenever a loop reads it, as if the work between
    /// two readings had taken that long. Work is free otherwise.
    pub fn set_clock_step(&self, step: Duration) {
        let step = u64::try_from(step.as_nanos()).expect("within 500 years");
        // Relaxed, as the clock itself.
        self.shared.step_ns.store(step, Ordering::Relaxed);
    }

    /// A loop reads the clock.
    pub(super) fn read_clock(&self) -> Duration {
        // Relaxed: see above.
        let step = self.shared.step_ns.load(Ordering::Relaxed);
        if step > 0 {
            self.advance(Duration::from_nanos(step));
        }
        self.now()
    }

    /// What the wall clock says.
    pub fn unix_time(&self) -> Duration {
        // Relaxed, as the clock itself.
        let offset = self.shared.wall_offset_ns.load(Ordering::Relaxed);
        let ns = i128::from(offset) + self.now().as_nanos() as i128;
        Duration::from_nanos(u64::try_from(ns.max(0)).expect("within 500 years"))
    }

    /// Sets the wall clock, which may go backwards; the other clock does not notice.
    pub fn set_unix_time(&self, time: Duration) {
        let offset = time.as_nanos() as i128 - self.now().as_nanos() as i128;
        let offset = i64::try_from(offset).expect("within 290 years");
        self.shared.wall_offset_ns.store(offset, Ordering::Relaxed);
    }

    /// Moves a virtual clock forward at once, whoever sleeps or not; what falls due happens.
    pub fn advance(&self, by: Duration) {
        assert!(!self.shared.threaded, "real time moves by itself");
        self.move_to(self.now() + by);
    }

    pub(super) fn weather(&self) -> &Weather {
        &self.shared.weather
    }

    fn number(&self) -> u64 {
        // Relaxed: only distinctness matters.
        self.shared.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn register_loop(&self, mailbox: Arc<Mailbox>, waker: Waker) -> u64 {
        let id = self.number();
        let sleeper = Sleeper {
            mailbox,
            waker,
            until: None,
        };
        lock(&self.shared.schedule).loops.insert(id, sleeper);
        id
    }

    pub(super) fn forget_loop(&self, id: u64) {
        lock(&self.shared.schedule).loops.remove(&id);
    }

    pub(super) fn listen(
        &self,
        at: &ListenAt,
        mailbox: Arc<Mailbox>,
        token: Token,
    ) -> io::Result<Arc<Listening>> {
        let address = match at {
            ListenAt::Tcp(ip) if ip.port() == 0 => {
                let port = 1024 + (self.number() % 60_000) as u16;
                Address::Ip(SocketAddr::new(ip.ip(), port))
            }
            ListenAt::Tcp(ip) => Address::Ip(*ip),
            ListenAt::Unix { path, .. } => Address::Unix(path.clone()),
        };
        let mut listeners = lock(&self.shared.listeners);
        if listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let arrivals = Mutex::default();
        let listening = Arc::new(Listening {
            address: address.clone(),
            mailbox,
            token,
            arrivals,
        });
        listeners.insert(address, listening.clone());
        Ok(listening)
    }

    pub(super) fn forget_listener(&self, address: &Address) {
        let gone = lock(&self.shared.listeners).remove(address);
        // Its arrivals end here, outside the lock: their wires have locks of their own.
        drop(gone);
    }

    /// Connects to a listener; gives the near end and when the far end knows.
    pub(super) fn reach(&self, to: &Address) -> io::Result<(End, Duration)> {
        let listening = lock(&self.shared.listeners).get(to).cloned();
        let listening = listening.ok_or(io::ErrorKind::ConnectionRefused)?;
        let number = self.number();
        let mut rng = Rng::new(self.shared.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let at = self.now() + rng.within(&self.weather().delay);
        let near = match to {
            Address::Ip(ip) => {
                let port = 1024 + (number % 60_000) as u16;
                let ip: IpAddr = ip.ip();
                Address::Ip(SocketAddr::new(ip, port))
            }
            Address::Unix(_) => to.clone(),
        };
        let wire = Wire::new(self.clone(), rng, [to.clone(), near.clone()]);
        let socket = Socket {
            kind: Kind::Sim(End::new(wire.clone(), 0)),
            peer: near,
        };
        lock(&listening.arrivals).push_back((at, socket));
        self.post_at(at, listening.mailbox.clone(), listening.token);
        Ok((End::new(wire, 1), at))
    }

    /// Tells a loop at its time to look at `token`.
    pub(super) fn post_at(&self, at: Duration, mailbox: Arc<Mailbox>, token: Token) {
        if at <= self.now() {
            return mailbox.post(token);
        }
        self.schedule(at, Due::Post(mailbox, token));
    }

    /// Tells one end of a wire at its time that something may have changed.
    pub(super) fn wire_at(&self, at: Duration, wire: Arc<Wire>, side: usize) {
        self.schedule(at, Due::Wire(wire, side));
    }

    fn schedule(&self, at: Duration, due: Due) {
        let mut schedule = lock(&self.shared.schedule);
        let sequence = schedule.scheduled;
        schedule.scheduled += 1;
        schedule.events.push(Reverse(Event { at, sequence, due }));
    }

    /// A loop has nothing to do until `until`. In a threaded world it blocks; in a virtual one time
    /// moves, if nobody else has anything to do either.
    pub(super) fn sleep(&self, id: u64, mailbox: &Mailbox, until: Option<Duration>) {
        if self.shared.threaded {
            return mailbox.block(until);
        }
        let target = {
            let mut schedule = lock(&self.shared.schedule);
            let me = schedule
                .loops
                .get_mut(&id)
                .expect("registered as long as it lives");
            me.until = Some(until.unwrap_or(Duration::MAX));
            let busy = |sleeper: &Sleeper| {
                sleeper.until.is_none()
                    || !sleeper.mailbox.is_empty()
                    || sleeper.waker.is_notified()
            };
            if schedule.loops.values().any(busy) {
                return;
            }
            let first_end = schedule
                .loops
                .values()
                .filter_map(|sleeper| sleeper.until)
                .min();
            let first_event = schedule.events.peek().map(|event| event.0.at);
            [first_end, first_event].into_iter().flatten().min()
        };
        match target {
            // For ever, and nothing is coming: only the test itself can go on.
            None | Some(Duration::MAX) => {}
            Some(at) => self.move_to(at.max(self.now())),
        }
    }

    /// A loop has something to do: time stands still until it sleeps again.
    pub(super) fn run(&self, id: u64) {
        if !self.shared.threaded
            && let Some(sleeper) = lock(&self.shared.schedule).loops.get_mut(&id)
        {
            sleeper.until = None;
        }
    }

    /// Moves the clock and lets happen what falls due.
    fn move_to(&self, at: Duration) {
        let ns = u64::try_from(at.as_nanos()).expect("a test of less than 500 years");
        self.shared.now_ns.store(ns, Ordering::Relaxed);
        let due = {
            let mut schedule = lock(&self.shared.schedule);
            for sleeper in schedule.loops.values_mut() {
                if sleeper.until.is_some_and(|until| until <= at) {
                    sleeper.until = None;
                }
            }
            let mut due = Vec::new();
            while schedule.events.peek().is_some_and(|event| event.0.at <= at) {
                due.extend(schedule.events.pop().map(|event| event.0.due));
            }
            due
        };
        for due in due {
            match due {
                Due::Wire(wire, side) => wire.tell(side),
                Due::Post(mailbox, token) => mailbox.post(token),
            }
        }
    }
}

/// A test's end of a connection. Nothing here blocks; "would block" means: let the loops run.
#[derive(Debug)]
pub struct Peer {
    end: End,
}

impl Peer {
    /// Sends what fits; gives how much that was.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.end.write(bytes)
    }

    /// Appends what has arrived, at most `max` bytes; gives how many, 0 at the end.
    pub fn receive(&mut self, buf: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        self.end.read(buf, max)
    }

    /// Says that nothing more will be sent.
    pub fn shutdown_write(&mut self) {
        self.end.finish();
    }

    /// Breaks the connection.
    pub fn reset(self) {
        self.end.reset();
    }

    /// This side's address.
    pub fn local_address(&self) -> Address {
        self.end.local()
    }
}
