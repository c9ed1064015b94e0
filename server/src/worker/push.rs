//! What clients are told by others: messages, MONITOR's lines, the replies of what they waited for.
//!
//!   mailbox ──▶ letters ──▶ output of each connection that is meant, behind what is there
//!
//! Letters are read when a turn begins; also when it ends, and behind a command of a subscriber, if the
//! worker has written to itself. Then only what clients hear is taken out, the rest stays for the next
//! turn.
//!
//! **Invariant:** pushes come out in the order in which they were posted, whoever reads them.

use io::Driver;

use super::Worker;
use crate::clients::ClientId;
use crate::mailbox::Letter;

impl<D: Driver> Worker<'_, D> {
    /// Reads the mailbox within a turn: pushes are delivered, other letters wait for the next one.
    pub(super) fn deliver_letters(&mut self) {
        self.engine.desk.has_letters = false;
        let mut letters = std::mem::take(&mut self.letters);
        self.engine.server.mailboxes[self.index()].collect(&mut letters);
        for _ in 0..letters.len() {
            let kept = letters.pop_front().and_then(|letter| self.deliver(letter));
            letters.extend(kept);
        }
        self.letters = letters;
    }

    /// Delivers what is for a client's ears; gives any other letter back.
    pub(super) fn deliver(&mut self, letter: Letter) -> Option<Letter> {
        match letter {
            Letter::Push { to, bytes } => {
                if let Some(place) = self.begin_push(to)
                    && let Some(connection) = &mut self.connections[place]
                {
                    connection.reply.raw(&bytes);
                    self.end_push(place);
                }
            }
            Letter::Message { push, to } => {
                for &subscriber in to.iter() {
                    if let Some(place) = self.begin_push(subscriber.id)
                        && let Some(connection) = &mut self.connections[place]
                        && connection.client.still_hears(&push, subscriber)
                    {
                        push.write(&mut connection.reply);
                        self.end_push(place);
                    }
                }
            }
            Letter::Invalidate {
                to,
                push,
                is_redirected,
            } => {
                if let Some(place) = self.begin_push(to)
                    && let Some(connection) = &mut self.connections[place]
                {
                    let is_subscriber = connection.session.is_subscriber;
                    push.write(&mut connection.reply, is_redirected, is_subscriber);
                    self.end_push(place);
                }
            }
            // Replies stand in the same queue, because pushes of the same cause follow them.
            Letter::Answered { to, output } => self.answered(to, output),
            Letter::Unblocked { to, with_error } => self.unblocked(to, with_error),
            other => return Some(other),
        }
        None
    }

    /// Where a client's connection is, with a vector to be written into; `None` when it is gone or
    /// about to go.
    fn begin_push(&mut self, to: ClientId) -> Option<usize> {
        let place = self.by_client.get(&to)?.index();
        let connection = self.connections[place].as_mut()?;
        if connection.ending {
            return None;
        }
        if connection.reply.is_empty() && connection.sending_bytes == 0 {
            // An idle connection keeps no vector.
            let spare = self.spares.pop().unwrap_or_default();
            drop(connection.reply.take(spare));
        }
        Some(place)
    }

    /// Something was said: it leaves when the turn ends, or is too much already.
    fn end_push(&mut self, place: usize) {
        self.depend_on_newest(place);
        self.mark_dirty(place);
        let Some(connection) = &self.connections[place] else {
            return;
        };
        let hard = self.engine.desk.live.output_limits[connection.class()].hard_bytes;
        let beyond = connection.output_beyond() as u64;
        if connection.reply.is_cut() || hard > 0 && beyond >= hard {
            self.check_output_limit(place);
        }
    }
}
