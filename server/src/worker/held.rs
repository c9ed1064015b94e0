//! What a worker does for the append-only file: kicks it, and holds replies back until they are safe (A1 of
//! docs/design/persistence.md).
//!
//! ```text
//!   commands run ─▶ kick ─▶ a connection's output: depends on number n     n <= flushed: it is sent
//!                                                     └ held: not sent, not served, not read
//!   turn begins: flushed has risen? ─▶ sent, and served again
//! ```
//!
//! A connection depends on one number, the largest that its replies saw. It runs all that came in one turn,
//! so a pipeline costs one flush; and all connections of all workers that wait share it.
//!
//! Only `appendfsync always` holds anything. Without a log none of this costs more than a test of a flag.
//!
//! H1  A held connection is in `Worker::held`, once, and `Connection::is_held` says so.
//! H2  While one is held, the log has been asked to tell of a flush, or has told.
//!
//! Checked by: server/tests/aof.rs, redstart-server/tests/durability.rs (RELIABILITY D1).

use io::Driver;
use persist::aof::Fsync;

use super::Worker;

impl<D: Driver> Worker<'_, D> {
    /// Looks at the log for this turn.
    #[inline]
    pub(super) fn look_at_log(&mut self) {
        let (server, desk) = (self.engine.server, &mut self.engine.desk);
        if server.aof.generation() != desk.log_generation {
            desk.log_generation = server.aof.generation();
            desk.log = server.aof.log();
            desk.holds_replies = false;
            desk.log_is_late = false;
        }
        if let Some(log) = &desk.log {
            desk.holds_replies = log.fsync() == Fsync::Always;
            desk.log_is_late = log.is_late();
        }
        if !self.held.is_empty() {
            self.release_held();
        }
    }

    /// Tells the log that there is something to write.
    #[inline]
    pub(super) fn kick_log(&self) {
        if let Some(log) = &self.engine.desk.log {
            log.kick(self.engine.server.store.newest_write());
        }
    }

    /// Whether a connection's output has to wait; then it will be seen to.
    pub(super) fn hold(&mut self, place: usize) -> bool {
        let Some(connection) = &mut self.connections[place] else {
            return false;
        };
        if connection.is_held {
            return true;
        }
        let Some(log) = &self.engine.desk.log else {
            return false;
        };
        // H2.
        if connection.reply.is_empty() || !log.tell_when_flushed(connection.depends_on) {
            return false;
        }
        connection.is_held = true;
        self.held.push(place);
        true
    }

    /// What somebody else has said to a connection may depend on anything that is written by now.
    pub(super) fn depend_on_newest(&mut self, place: usize) {
        if self.engine.desk.holds_replies
            && let Some(connection) = &mut self.connections[place]
        {
            connection.depends_on = self.engine.server.store.newest_write();
        }
    }

    /// Sends and serves again what is safe by now.
    #[cold]
    fn release_held(&mut self) {
        loop {
            let flushed = match &self.engine.desk.log {
                Some(log) if self.engine.desk.holds_replies => log.flushed(),
                // Nobody promises anything any more.
                _ => u64::MAX,
            };
            let held = std::mem::take(&mut self.held);
            let mut next = u64::MAX;
            for place in held {
                let Some(connection) = &mut self.connections[place] else {
                    continue;
                };
                // The place may be somebody else's by now.
                if !connection.is_held {
                    continue;
                }
                if connection.depends_on > flushed {
                    next = next.min(connection.depends_on);
                    self.held.push(place);
                    continue;
                }
                connection.is_held = false;
                if std::mem::take(&mut connection.waits_in_hold) {
                    self.ready.push_back(place);
                }
                self.mark_dirty(place);
            }
            // H2.
            let log = self.engine.desk.log.as_ref();
            if self.held.is_empty() || log.is_some_and(|log| log.tell_when_flushed(next)) {
                return;
            }
        }
    }
}
