//! One simulated connection: two lanes of bytes, each with arrival times, and what the ends know.
//!
//!   side 0 (accepted) ── lane 0 ──▶ side 1 (connected)
//!                     ◀── lane 1 ──
//!
//! A lane is a queue of pieces in the order of their arrival, then perhaps the end. Whoever changes
//! something that the other side can see tells it: at once, or through the schedule when the change
//! has to travel.

use super::net::{Mailbox, Net, lock};
use crate::{Address, Token};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A small generator (splitmix64): all it must be is repeatable.
#[derive(Debug)]
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    pub(super) fn new(seed: u64) -> Rng {
        Rng { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn happens(&mut self, chances: u32, of: u32) -> bool {
        chances > 0 && self.next() % u64::from(of) < u64::from(chances)
    }

    pub(super) fn within(&mut self, range: &Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start).as_nanos() as u64;
        let more = if width == 0 { 0 } else { self.next() % width };
        range.start + Duration::from_nanos(more)
    }
}

/// Bytes on their way to one side.
#[derive(Debug, Default)]
struct Lane {
    pieces: VecDeque<(Duration, Vec<u8>)>,
    /// Bytes of the first piece that have been read.
    read: usize,
    /// Bytes in all pieces that have not been read.
    bytes: usize,
    /// The end, and when it arrives.
    end: Option<Duration>,
    /// When the last of it arrives: nothing overtakes it.
    last: Duration,
    /// The writer found no room and wants to be told.
    blocked: bool,
    /// A write was cut short: the next one finds no room.
    stuttered: bool,
}

#[derive(Debug, Default)]
struct Side {
    notify: Option<(Arc<Mailbox>, Token)>,
    closed: bool,
    /// The connection is broken, from then on.
    reset: Option<Duration>,
}

#[derive(Debug)]
struct State {
    lanes: [Lane; 2],
    sides: [Side; 2],
    rng: Rng,
}

#[derive(Debug)]
pub(super) struct Wire {
    net: Net,
    addresses: [Address; 2],
    state: Mutex<State>,
}

impl Wire {
    pub(super) fn new(net: Net, rng: Rng, addresses: [Address; 2]) -> Arc<Wire> {
        let state = State {
            lanes: Default::default(),
            sides: Default::default(),
            rng,
        };
        Arc::new(Wire {
            net,
            addresses,
            state: Mutex::new(state),
        })
    }

    /// Tells one side that something may have changed.
    pub(super) fn tell(&self, side: usize) {
        tell(&lock(&self.state), side);
    }
}

fn tell(state: &State, side: usize) {
    if let Some((mailbox, token)) = &state.sides[side].notify {
        mailbox.post(*token);
    }
}

/// One end of a connection. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct End {
    wire: Arc<Wire>,
    side: usize,
}

impl End {
    pub(super) fn new(wire: Arc<Wire>, side: usize) -> End {
        End { wire, side }
    }

    pub(crate) fn local(&self) -> Address {
        self.wire.addresses[self.side].clone()
    }

    /// Whom to tell about changes.
    pub(super) fn notify(&self, whom: Option<(Arc<Mailbox>, Token)>) {
        lock(&self.wire.state).sides[self.side].notify = whom;
    }

    fn other(&self) -> usize {
        1 - self.side
    }

    /// Tells the other side now or then.
    fn tell_other(&self, state: &State, at: Duration) {
        if at <= self.wire.net.now() {
            tell(state, self.other());
        } else {
            self.wire.net.wire_at(at, self.wire.clone(), self.other());
        }
    }

    /// Writes what fits.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let (now, weather) = (self.wire.net.now(), self.wire.net.weather());
        let mut guard = lock(&self.wire.state);
        let state = &mut *guard;
        if state.sides[self.side].reset.is_some_and(|at| at <= now) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if state.lanes[self.side].end.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let delay = state.rng.within(&weather.delay);
        let breaks = state.rng.happens(weather.resets_per_million, 1_000_000);
        if breaks || state.sides[self.other()].closed {
            // A kernel takes bytes for a peer that has gone; that it has gone comes back as a reset.
            self.break_at(state, now + delay);
        }
        let lane = &mut state.lanes[self.side];
        let room = weather.buffer_bytes.saturating_sub(lane.bytes);
        if std::mem::take(&mut lane.stuttered) {
            let at = now + delay.max(Duration::from_nanos(1));
            self.wire.net.wire_at(at, self.wire.clone(), self.side);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut n = bytes.len().min(room);
        if n == 0 && !bytes.is_empty() {
            lane.blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if n > 1 && state.rng.happens(weather.short_writes_percent, 100) {
            n = 1 + state.rng.below(n);
            lane.stuttered = n < bytes.len();
        }
        let at = lane.last.max(now + delay);
        lane.last = at;
        lane.bytes += n;
        lane.pieces.push_back((at, bytes[..n].to_vec()));
        self.tell_other(state, at);
        Ok(n)
    }

    /// Appends to `buf` what has arrived, at most `max` bytes; 0 is the end.
    pub(super) fn read(&self, buf: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        let (now, weather) = (self.wire.net.now(), self.wire.net.weather());
        let mut guard = lock(&self.wire.state);
        let state = &mut *guard;
        if state.sides[self.side].reset.is_some_and(|at| at <= now) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let lane = &mut state.lanes[self.other()];
        let there: usize = lane
            .pieces
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, piece)| piece.len())
            .sum();
        let there = there.saturating_sub(lane.read).min(max);
        if there == 0 {
            let ended = lane.pieces.is_empty() && lane.end.is_some_and(|at| at <= now);
            return if ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let mut n = there;
        if n > 1 && state.rng.happens(weather.short_reads_percent, 100) {
            n = 1 + state.rng.below(n);
        }
        let mut left = n;
        while left > 0 {
            let (_, piece) = lane.pieces.front().expect("counted");
            let part = &piece[lane.read..][..left.min(piece.len() - lane.read)];
            buf.extend_from_slice(part);
            left -= part.len();
            lane.read += part.len();
            if lane.read == piece.len() {
                lane.pieces.pop_front();
                lane.read = 0;
            }
        }
        lane.bytes -= n;
        if std::mem::take(&mut lane.blocked) {
            tell(state, self.other());
        }
        Ok(n)
    }

    /// Whether a read would say something.
    pub(super) fn is_readable(&self) -> bool {
        let now = self.wire.net.now();
        let state = lock(&self.wire.state);
        let lane = &state.lanes[self.other()];
        state.sides[self.side].reset.is_some_and(|at| at <= now)
            || lane.pieces.front().is_some_and(|(at, _)| *at <= now)
            || (lane.pieces.is_empty() && lane.end.is_some_and(|at| at <= now))
    }

    /// Nothing more will be written.
    pub(super) fn finish(&self) {
        let now = self.wire.net.now();
        let mut guard = lock(&self.wire.state);
        let state = &mut *guard;
        if state.lanes[self.side].end.is_none() {
            let delay = state.rng.within(&self.wire.net.weather().delay);
            let lane = &mut state.lanes[self.side];
            let at = lane.last.max(now + delay);
            lane.end = Some(at);
            lane.last = at;
            self.tell_other(state, at);
        }
    }

    /// Breaks the connection for both sides.
    fn break_at(&self, state: &mut State, at: Duration) {
        if state.sides[self.side].reset.is_some() {
            return;
        }
        for side in [self.side, self.other()] {
            state.sides[side].reset.get_or_insert(at);
            if at <= self.wire.net.now() {
                tell(state, side);
            } else {
                self.wire.net.wire_at(at, self.wire.clone(), side);
            }
        }
    }

    /// Breaks the connection: what is on its way is lost.
    pub(super) fn reset(&self) {
        let now = self.wire.net.now();
        let mut guard = lock(&self.wire.state);
        let at = now + guard.rng.within(&self.wire.net.weather().delay);
        guard.sides[self.other()].reset.get_or_insert(at);
        self.tell_other(&guard, at);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.finish();
        let unread = {
            let mut state = lock(&self.wire.state);
            let side = &mut state.sides[self.side];
            side.closed = true;
            side.notify = None;
            state.lanes[self.other()].bytes > 0
        };
        // As a kernel does: closing over unread bytes breaks the connection.
        if unread {
            self.reset();
        }
    }
}
