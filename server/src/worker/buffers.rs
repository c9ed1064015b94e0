//! How large a connection's buffers are: what it was like of late decides, the cron adjusts.
//!
//!                 a large word came          little came          idle for 2 s
//!   pool buffer ───────────────────▶ 64 KiB ─────────▶ 32 ─▶ 16 KiB ─────────▶ pool buffer
//!
//!   first reply        replies fill it, each look           none came near half of it
//!   of 16 KiB          at most doubles it, to 16 KiB        shrinks it to the largest, to 1 KiB
//!
//! **Receiving.** Small requests come into a buffer of the driver's pool, which goes back when they
//! have been served, so a client holds none. Who has sent a word so large that it was received apart
//! will send another; it gets a buffer of its own, four times as long, so that a pipeline of such
//! requests takes a quarter of the reads. At most [`OWN_MAX`] connections of a worker have one.
//!
//! **Replying.** Reply vectors go round among a worker's connections and no idle one has any. Its
//! *room* is what the next one has at least when it begins, so that a reply of the usual length does
//! not grow it on the way.
//!
//! B1  `own_buffers` of the worker counts the connections whose `size` is not 0.
//! B2  a buffer of another length than `size` is not kept: so a size once changed is the next one's.
//! B3  the room lies between [`ROOM_MIN`] and [`ROOM_MAX`].
//!
//! Checked by: tests below, server/tests/buffers.rs, the suite's unit/querybuf and unit/replybufsize.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use io::Driver;

use super::Worker;
use crate::connection::Receiving;

/// A receive buffer of one's own: at first, and at least.
const OWN_BYTES: usize = 64 * 1024;
const OWN_BYTES_MIN: usize = 16 * 1024;
/// Connections of a worker that may have one: 4 MiB.
const OWN_MAX: usize = 64;
/// Who has been silent for so long is idle: Redis's number.
const IDLE_MS: i64 = 2_000;

/// What a reply begins with: Redis's numbers.
const ROOM_MIN: usize = 1024;
const ROOM_MAX: usize = 16 * 1024;
/// How long the largest reply is remembered.
pub(crate) const PEAK_RESET_MS: i64 = 5_000;
/// It is never forgotten.
pub(crate) const NEVER_MS: i64 = -1;

/// DEBUG REPLYBUFFER.
#[derive(Debug)]
pub struct ReplyTuning {
    /// After how long the largest reply is forgotten; [`NEVER_MS`].
    pub(crate) peak_reset_ms: AtomicI64,
    /// Whether rooms are adjusted.
    pub(crate) is_on: AtomicBool,
}

impl Default for ReplyTuning {
    fn default() -> ReplyTuning {
        ReplyTuning {
            peak_reset_ms: AtomicI64::new(PEAK_RESET_MS),
            is_on: AtomicBool::new(true),
        }
    }
}

/// A connection's own receive buffer.
#[derive(Debug, Default)]
pub(crate) struct OwnBuffer {
    /// 0: it has none.
    size: usize,
    /// Empty, also while it is being received into or served.
    buf: Vec<u8>,
    /// The most that came at once since the last look.
    peak: usize,
}

impl OwnBuffer {
    /// Whether there is one.
    pub(crate) fn is_had(&self) -> bool {
        self.size > 0
    }

    /// The buffer to receive into; `None` when there is none, or no memory for one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        if self.size == 0 {
            return None;
        }
        let mut buf = std::mem::take(&mut self.buf);
        let has_room = buf.capacity() > 0 || buf.try_reserve_exact(self.size).is_ok();
        has_room.then_some(buf)
    }

    /// Gives back what is not to be kept (B2).
    #[inline]
    pub(crate) fn keep(&mut self, mut buf: Vec<u8>) -> Option<Vec<u8>> {
        if self.size == 0 || buf.capacity() != self.size {
            return Some(buf);
        }
        buf.clear();
        self.buf = buf;
        None
    }

    /// So much came at once.
    #[inline]
    pub(crate) fn received(&mut self, count: usize) {
        self.peak = self.peak.max(count);
    }

    /// Bytes held when nothing is being served out of it.
    pub(crate) fn held(&self, receiving: Receiving) -> usize {
        if receiving == Receiving::Own {
            self.size
        } else {
            self.buf.capacity()
        }
    }

    /// The cron's look: of which less than half was needed is halved.
    fn shrink(&mut self) {
        if self.peak < self.size / 2 && self.size > OWN_BYTES_MIN {
            self.size = (self.size / 2).max(OWN_BYTES_MIN);
            self.buf = Vec::new();
        }
        self.peak = 0;
    }
}

/// What a connection's reply begins with, and why.
#[derive(Debug)]
pub(crate) struct ReplyRoom {
    room: usize,
    /// The longest reply since `since_ms`.
    peak: usize,
    since_ms: i64,
}

impl ReplyRoom {
    /// Room for everything, until more is known.
    pub(crate) fn new(now_ms: i64) -> ReplyRoom {
        ReplyRoom {
            room: ROOM_MAX,
            peak: ROOM_MAX,
            since_ms: now_ms,
        }
    }

    /// Room and peak.
    pub(crate) fn figures(&self) -> (usize, usize) {
        (self.room, self.peak)
    }

    /// A reply, or several together, had this length.
    #[inline]
    pub(crate) fn said(&mut self, length: usize) {
        self.peak = self.peak.max(length);
    }

    /// Makes `spare` large enough to begin with.
    #[inline]
    pub(crate) fn fit(&self, mut spare: Vec<u8>) -> Vec<u8> {
        if spare.capacity() < self.room {
            // Where there is no memory for it the reply will see for itself.
            let _: Result<(), _> = spare.try_reserve_exact(self.room - spare.len());
        }
        spare
    }

    /// The cron's look.
    fn adjust(&mut self, tuning: &ReplyTuning, now_ms: i64) {
        // Relaxed: switches by themselves.
        let reset_ms = tuning.peak_reset_ms.load(Relaxed);
        if tuning.is_on.load(Relaxed) {
            if self.peak < self.room / 2 {
                self.room = (self.peak + 1).max(ROOM_MIN);
            } else if self.peak >= self.room {
                self.room = (self.room * 2).min(ROOM_MAX);
            }
        }
        if reset_ms >= 0 && now_ms - self.since_ms > reset_ms {
            self.peak = 0;
            self.since_ms = now_ms;
        }
    }
}

impl<D: Driver> Worker<'_, D> {
    /// A large word came: there will be more (B1).
    pub(super) fn give_own_buffer(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let is_had = connection.own.is_had();
        if !is_had && self.own_buffers >= OWN_MAX {
            return;
        }
        self.own_buffers += usize::from(!is_had);
        connection.own.size = OWN_BYTES;
        connection.own.peak = OWN_BYTES;
    }

    /// Lets others see the buffer that was kept, or begun with, after the requests had run.
    #[inline]
    pub(super) fn publish_own_buffer(&self, place: usize) {
        if let Some(connection) = &self.connections[place]
            && connection.own.is_had()
        {
            connection.publish();
        }
    }

    /// The cron's look at a connection's buffers.
    pub(super) fn fit_buffers(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let now_ms = self.engine.desk.monotonic_ms;
        let tuning = &self.engine.server.reply_tuning;
        connection.reply_room.adjust(tuning, now_ms);
        if connection.own.is_had() {
            if now_ms - connection.active_ms > IDLE_MS {
                connection.own = OwnBuffer::default();
                self.own_buffers -= 1;
                if connection.receiving == Receiving::Own {
                    // It comes back, empty or with bytes, and is not kept.
                    self.net.cancel(connection.token);
                }
            } else {
                connection.own.shrink();
            }
        }
        connection.publish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_follows_the_replies() {
        let tuning = ReplyTuning::default();
        let mut room = ReplyRoom::new(0);
        let mut check = |now_ms: i64, said: usize, expected: (usize, usize)| {
            room.said(said);
            room.adjust(&tuning, now_ms);
            assert_eq!(room.figures(), expected, "{said} at {now_ms}");
        };
        // The first peak stands for five seconds, then nothing is known, then little is needed.
        check(1_000, 5, (ROOM_MAX, ROOM_MAX));
        check(5_001, 5, (ROOM_MAX, 0));
        check(5_100, 5, (ROOM_MIN, 5));
        // It doubles at each look while replies fill it.
        for expected in [2_048, 4_096, 8_192, ROOM_MAX, ROOM_MAX] {
            check(5_200, 40_000, (expected, 40_000));
        }
        tuning.peak_reset_ms.store(NEVER_MS, Relaxed);
        check(90_000, 5, (ROOM_MAX, 40_000));
        tuning.peak_reset_ms.store(100, Relaxed);
        check(90_001, 5, (ROOM_MAX, 0));
        tuning.is_on.store(false, Relaxed);
        check(90_002, 5, (ROOM_MAX, 5));
        tuning.is_on.store(true, Relaxed);
        check(90_003, 3_000, (3_001, 3_000));
        assert_eq!(room.fit(Vec::new()).capacity(), 3_001);
    }

    #[test]
    fn an_own_buffer_shrinks_to_what_is_needed() {
        let mut own = OwnBuffer::default();
        assert!(own.take().is_none() && own.keep(vec![1]).is_some());
        own.size = OWN_BYTES;
        let buf = own.take().expect("memory");
        assert_eq!(
            (buf.capacity(), own.held(Receiving::Own)),
            (OWN_BYTES, OWN_BYTES)
        );
        own.received(OWN_BYTES);
        own.shrink();
        assert!(own.keep(buf).is_none(), "a full one stays");
        assert_eq!(own.held(Receiving::Nothing), OWN_BYTES);
        for expected in [32 * 1024, OWN_BYTES_MIN, OWN_BYTES_MIN] {
            own.received(100);
            own.shrink();
            assert_eq!(own.held(Receiving::Own), expected);
        }
        assert!(
            own.keep(Vec::with_capacity(OWN_BYTES)).is_some(),
            "of the old size"
        );
    }
}
