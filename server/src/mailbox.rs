//! Mailboxes: what other threads have for a worker to do.
//!
//!   any thread ── post ──▶ [ letter, letter, … ] ── collect, once a turn ──▶ the worker
//!                     └──▶ wakes the worker, if it may be asleep
//!
//! One FIFO per worker. A letter is posted before the reply of its cause can leave, so whoever sees
//! the reply knows that the letter will be read before anything posted later. Outcomes are never
//! decided here: a KILL has claimed its client's state word (`clients.rs`) before it is posted, the
//! letter only wakes the owner.
//!
//! M1  `post` never blocks: the lock is a leaf, held for a push or a swap.
//! M2  no wake-up is lost: `waiting` is set before the worker looks into the queue for the last time
//!     before sleeping, and cleared by whoever takes over the duty to wake it.
//!
//! Checked by: tests below, tests/sim.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::clients::ClientId;

/// One thing for a worker to do.
#[derive(Debug)]
pub enum Letter {
    /// Look at this client's state word: it was claimed by somebody else.
    Claimed(ClientId),
    /// Bytes for this client's output, behind what is there: MONITOR lines, messages, invalidations.
    Push {
        /// Who gets them.
        to: ClientId,
        /// The same bytes for all receivers.
        bytes: Arc<[u8]>,
    },
    /// Gates have opened or a script has ended: try the parked connections again.
    Retry,
    /// The server's stop state has changed.
    Stop,
}

/// One worker's letters. `S` is what a connection travels as between workers.
pub struct Mailbox<S> {
    inner: Mutex<Inner<S>>,
    /// The worker sleeps or is about to; the next letter must wake it.
    waiting: AtomicBool,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

struct Inner<S> {
    letters: VecDeque<Letter>,
    /// Connections accepted elsewhere, apart so that letters stay small.
    newcomers: VecDeque<S>,
}

impl<S> fmt::Debug for Mailbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

impl<S> Default for Mailbox<S> {
    fn default() -> Self {
        Mailbox {
            inner: Mutex::new(Inner { letters: VecDeque::new(), newcomers: VecDeque::new() }),
            waiting: AtomicBool::new(false),
            wake: OnceLock::new(),
        }
    }
}

impl<S> Mailbox<S> {
    /// Says how the worker is woken; once, by the worker itself.
    pub fn set_wake(&self, wake: Box<dyn Fn() + Send + Sync>) {
        assert!(self.wake.set(wake).is_ok(), "a worker starts once");
    }

    /// Leaves a letter.
    pub fn post(&self, letter: Letter) {
        self.inner.lock().letters.push_back(letter);
        self.wake_if_waiting();
    }

    /// Leaves a connection.
    pub fn hand_over(&self, newcomer: S) {
        self.inner.lock().newcomers.push_back(newcomer);
        self.wake_if_waiting();
    }

    fn wake_if_waiting(&self) {
        // SeqCst pairs with `prepare_to_wait`: either this swap sees its store, or its look into
        // the queue (whose lock orders it after our push) sees the letter.
        if self.waiting.load(Ordering::SeqCst)
            && self.waiting.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake();
        }
    }

    /// Moves everything into the worker's own queues.
    pub fn collect(&self, letters: &mut VecDeque<Letter>, newcomers: &mut VecDeque<S>) {
        let mut inner = self.inner.lock();
        letters.append(&mut inner.letters);
        newcomers.append(&mut inner.newcomers);
    }

    /// Called by the worker before it sleeps; `false` when there is something to do after all.
    #[must_use]
    pub fn prepare_to_wait(&self) -> bool {
        self.waiting.store(true, Ordering::SeqCst);
        let inner = self.inner.lock();
        let empty = inner.letters.is_empty() && inner.newcomers.is_empty();
        drop(inner);
        if !empty {
            self.waiting.store(false, Ordering::SeqCst);
        }
        empty
    }

    /// Called by the worker when it is awake again.
    pub fn awake(&self) {
        // Relaxed: at worst one wake-up too many.
        self.waiting.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn letters_come_in_order_and_wake_a_sleeper_every_time() {
        let mailbox: Arc<Mailbox<u32>> = Arc::new(Mailbox::default());
        let (bell, sleep) = mpsc::channel();
        mailbox.set_wake(Box::new(move || bell.send(()).expect("the reader lives")));
        const LETTERS: u64 = 20_000;
        let writer = {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || {
                for id in 0..LETTERS {
                    mailbox.post(Letter::Claimed(ClientId(id)));
                }
            })
        };
        let (mut letters, mut newcomers) = (VecDeque::new(), VecDeque::new());
        let mut next = 0;
        while next < LETTERS {
            mailbox.collect(&mut letters, &mut newcomers);
            for letter in letters.drain(..) {
                assert!(matches!(letter, Letter::Claimed(ClientId(id)) if id == next));
                next += 1;
            }
            if next < LETTERS && mailbox.prepare_to_wait() {
                sleep.recv_timeout(Duration::from_secs(20)).expect("no wake-up is lost (M2)");
                mailbox.awake();
            }
        }
        writer.join().expect("the writer ended");
    }
}
