//! Connections whose command waits for a key: from the moment in which it is parked to its answer. The
//! page is `docs/design/blocking.md`.
//!
//!   parked(Key) ─┬─ Letter::Answered    somebody has run it: the answer, then what stands behind it
//!                ├─ Letter::Unblocked   CLIENT UNBLOCK has ended it: a null or an error
//!                ├─ Letter::Again       run it once more
//!                ├─ Letter::Sooner      it may find something by itself, and earlier than was known
//!                ├─ its time is over    if the word can be had: a null
//!                ├─ that time has come  run it once more
//!                └─ the peer ends, KILL the connection goes, and the wait with it
//!
//! **Invariant:** `session.blocked` is there exactly while `parked` is `Wait::Key`, and its deadline is
//! in `give_up` exactly then, as is the time at which it may find something by itself.

use std::sync::Arc;

use io::Driver;

use super::Worker;
use crate::blocking::{Blocked, Ending};
use crate::clients::ClientId;
use crate::connection::{Connection, Wait};
use crate::session::ReplyMode;

/// When a waiting connection is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    /// By the monotonic clock, in milliseconds.
    pub(super) at_ms: i64,
    /// Which connection.
    place: usize,
    client: ClientId,
    why: Why,
}

/// Why it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Its command may find something by itself.
    Again,
    /// Its time is over.
    Over,
}

/// How soon a time-out that met its command running looks again.
const LOOK_AGAIN_MS: i64 = 1;

impl<D: Driver> Worker<'_, D> {
    /// A command has been registered and its connection parked.
    pub(super) fn begin_waiting(&mut self, place: usize) {
        let Some(connection) = &self.connections[place] else {
            return;
        };
        let client = connection.client.id;
        let blocked = connection.session.blocked.as_ref();
        let until_ms = blocked.and_then(|blocked| blocked.until_ms);
        let again_ms = blocked.and_then(|blocked| blocked.again_ms());
        self.set_alarm(place, client, Why::Over, until_ms);
        self.set_alarm(place, client, Why::Again, again_ms);
        self.receive_more(place);
    }

    /// Sees to it that a connection is looked at, `when_ms` since 1970.
    fn set_alarm(&mut self, place: usize, client: ClientId, why: Why, when_ms: Option<i64>) {
        let Some(when_ms) = when_ms else { return };
        let desk = &self.engine.desk;
        let from_now = when_ms.saturating_sub(desk.clock_ms);
        self.give_up.insert(Alarm {
            at_ms: desk.monotonic_ms.saturating_add(from_now),
            place,
            client,
            why,
        });
    }

    /// A command may find something by itself, and earlier than was known when it began to wait.
    pub(super) fn wake_sooner(&mut self, client: ClientId) {
        let Some(place) = self.blocked_place(client) else {
            return;
        };
        let connection = self.connections[place].as_ref();
        let blocked = connection.and_then(|c| c.session.blocked.as_ref());
        let again_ms = blocked.and_then(|blocked| blocked.again_ms());
        self.set_alarm(place, client, Why::Again, again_ms);
    }

    /// Bytes of requests behind the one that waits.
    pub(super) fn received_while_blocked(&mut self, place: usize, buf: Vec<u8>) {
        if let Some(connection) = &mut self.connections[place]
            && let Some(input) = &mut connection.input
        {
            input.grow(&buf);
        }
        self.net.recycle(buf);
        self.check_query_buffer(place);
        self.receive_more(place);
    }

    /// Somebody has run the command on the client's behalf.
    pub(super) fn answered(&mut self, client: ClientId, output: resp::Output) {
        if let Some(place) = self.blocked_place(client) {
            self.go_on_with(place, |connection| connection.reply.append(output));
        }
    }

    /// CLIENT UNBLOCK has ended the wait.
    pub(super) fn unblocked(&mut self, client: ClientId, with_error: bool) {
        let Some(place) = self.blocked_place(client) else {
            return;
        };
        if with_error {
            self.engine.desk.figures.error_replies.add(1);
            self.engine.desk.statistics.count_error("UNBLOCKED");
        }
        self.go_on_with(place, |connection| {
            if with_error {
                let text = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";
                connection.reply.error(text);
            } else {
                Blocked::write_null(&mut connection.reply);
            }
        });
    }

    /// The command is to be run by its own worker, unless somebody runs it this moment or has.
    pub(super) fn run_again(&mut self, client: ClientId) -> Ending {
        let Some(place) = self.blocked_place(client) else {
            return Ending::Over;
        };
        let Some(connection) = &mut self.connections[place] else {
            return Ending::Over;
        };
        let Some(blocked) = connection.session.blocked.clone() else {
            return Ending::Over;
        };
        let ending = blocked.try_end();
        if ending == Ending::Ours {
            connection.parked = None;
            connection.session.again = connection.session.blocked.take();
            self.forget_wait(place, &blocked);
            self.ready.push_back(place);
        }
        ending
    }

    /// Ends the waits whose time is over, and runs those commands again that may find something now.
    pub(super) fn give_up_blocked(&mut self) {
        let now_ms = self.engine.desk.monotonic_ms;
        while let Some(&alarm) = self.give_up.first()
            && alarm.at_ms <= now_ms
        {
            self.give_up.pop_first();
            let place = alarm.place;
            let ending = match alarm.why {
                Why::Again => self.run_again(alarm.client),
                Why::Over => {
                    let connection = self.connections[place].as_ref();
                    let blocked = connection.and_then(|c| c.session.blocked.as_ref());
                    blocked.map_or(Ending::Over, |blocked| blocked.try_end())
                }
            };
            match ending {
                Ending::Ours if alarm.why == Why::Over => self.go_on_with(place, |connection| {
                    Blocked::write_null(&mut connection.reply);
                }),
                Ending::Serving => {
                    let at_ms = now_ms + LOOK_AGAIN_MS;
                    self.give_up.insert(Alarm { at_ms, ..alarm });
                }
                // The letter that says how is on its way, or the command is.
                Ending::Ours | Ending::Over => {}
            }
        }
    }

    /// A connection that waits is going: so is its wait.
    pub(super) fn end_blocked(&mut self, connection: &mut Connection) {
        if let Some(blocked) = connection.session.blocked.take() {
            // Whoever serves it this moment has claimed it before the client went.
            blocked.end_when_idle();
            self.forget_wait(connection.token.index(), &blocked);
        }
    }

    /// The blocked connection of a client, if it is one.
    fn blocked_place(&self, client: ClientId) -> Option<usize> {
        let place = self.by_client.get(&client)?.index();
        let connection = self.connections[place].as_ref()?;
        (connection.parked == Some(Wait::Key)).then_some(place)
    }

    /// The wait is over: says what is to be said and serves what stands behind the command.
    fn go_on_with(&mut self, place: usize, say: impl FnOnce(&mut Connection)) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let Some(blocked) = connection.session.blocked.take() else {
            return;
        };
        connection.parked = None;
        let mark = connection.reply.mark();
        say(connection);
        let session = &mut connection.session;
        if session.reply_mode != ReplyMode::On {
            connection.reply.truncate_to(mark);
        }
        if session.reply_mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::On;
        }
        connection.commands += 1;
        if let Some(input) = &mut connection.input {
            input.next += 1;
            input.tries = 0;
        }
        self.forget_wait(place, &blocked);
        self.depend_on_newest(place);
        self.ready.push_back(place);
        self.mark_dirty(place);
    }

    /// Takes a wait out of all books.
    fn forget_wait(&mut self, place: usize, blocked: &Arc<Blocked>) {
        let server = self.engine.server;
        server.blocked.leave(blocked);
        server.store.unwait(&blocked.waiter);
        if blocked.until_ms.is_some() || blocked.again_ms().is_some() {
            let id = blocked.client.id;
            self.give_up
                .retain(|alarm| (alarm.place, alarm.client) != (place, id));
        }
    }
}
