//! Mailboxes: what other threads have for a worker to do.
//!
//!   any thread ── post ──▶ [ letter, letter, … ] ── collect, once a turn ──▶ the worker
//!                     └──▶ io::Waker: a system call only if the worker sleeps
//!
//! One FIFO per worker. A letter is posted before the reply of its cause can leave, so whoever sees
//! the reply knows that the letter will be read before anything posted later. Outcomes are never
//! decided here: a KILL has claimed its client's state word (`clients.rs`) before it is posted, the
//! letter only tells the owner.
//!
//! M1  `post` never blocks: the lock is a leaf, held for a push or a swap.
//! M2  no wake-up is lost: the letter lies in the queue before the waker is called, and the worker
//!     looks into the queue after each `Driver::wait` (`io/src/waker.rs` has the other half).
//!
//! Checked by: test below, server/tests (KILL, MONITOR across workers).

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;

use crate::clients::ClientId;
use crate::pubsub::{Push, Subscriber};
use crate::tracking::Invalidation;

/// One thing for a worker to do.
#[derive(Debug)]
pub enum Letter {
    /// A connection that was accepted elsewhere and is to live here.
    Newcomer(Box<io::Socket>),
    /// Look at this client's state word: somebody else has claimed it.
    Claimed(ClientId),
    /// A message for those of the worker's clients that have subscribed.
    Message {
        /// The same bytes for all.
        push: Arc<Push>,
        /// Who gets them, if it has not left in the meantime.
        to: Arc<Vec<Subscriber>>,
    },
    /// Keys that a client may have cached have changed.
    Invalidate {
        /// Who is told.
        to: ClientId,
        /// What.
        push: Arc<Invalidation>,
        /// It hears for another client.
        is_redirected: bool,
    },
    /// Bytes for this client's output, behind what is there: MONITOR lines.
    Push {
        /// Who gets them.
        to: ClientId,
        /// The same bytes for all receivers.
        bytes: Arc<[u8]>,
    },
    /// A blocked command has been run on its client's behalf; this is its answer.
    Answered {
        /// Whose it is.
        to: ClientId,
        /// What is to be sent.
        output: resp::Output,
    },
    /// A blocked command is to be run again by its owner.
    Again(ClientId),
    /// A blocked command may find something by itself earlier than its owner knows.
    Sooner(ClientId),
    /// CLIENT UNBLOCK has ended a wait: say so.
    Unblocked {
        /// Whose it was.
        to: ClientId,
        /// With an error, not as a time-out.
        with_error: bool,
    },
    /// Gates have opened or a script has ended: try the parked connections again.
    Retry,
    /// The listening addresses have changed (CONFIG SET bind, port): listen anew. Worker 0 only.
    Listen,
    /// The server's stop state has changed.
    Stop,
    /// DEBUG SLEEP: do nothing until then.
    Stall {
        /// When to go on.
        until: Instant,
    },
}

/// One worker's letters.
#[derive(Debug, Default)]
pub struct Mailbox {
    letters: Mutex<VecDeque<Letter>>,
    waker: OnceLock<io::Waker>,
}

impl Mailbox {
    /// Says how the worker is woken; once, by the worker itself.
    pub fn set_waker(&self, waker: io::Waker) {
        assert!(self.waker.set(waker).is_ok(), "a worker starts once");
    }

    /// Leaves a letter. Before the worker has started it waits for its first turn.
    pub fn post(&self, letter: Letter) {
        self.letters.lock().push_back(letter);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// Moves everything into the worker's own queue.
    pub fn collect(&self, into: &mut VecDeque<Letter>) {
        into.append(&mut self.letters.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_each_writer_come_in_order() {
        const LETTERS: u64 = 5_000;
        let mailbox = Arc::new(Mailbox::default());
        let writers = [0, 1].map(|writer| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || {
                for n in 0..LETTERS {
                    mailbox.post(Letter::Claimed(ClientId(n * 2 + writer)));
                }
            })
        });
        let (mut next, mut queue) = ([0, 0], VecDeque::new());
        while next != [LETTERS; 2] {
            mailbox.collect(&mut queue);
            for letter in queue.drain(..) {
                let Letter::Claimed(ClientId(id)) = letter else {
                    panic!("only claims are sent")
                };
                let next = &mut next[(id % 2) as usize];
                assert_eq!(id / 2, *next);
                *next += 1;
            }
        }
        for writer in writers {
            writer.join().expect("the writer ended");
        }
    }
}
