//! What a unit has done, told to those who listen: keyspace events on their channels, changed keys to
//! clients that cache them. Called by the store under the unit's locks (`store::Witness`).
//!
//! ```text
//!   event "set" of key k in database 0   K: __keyspace@0__:k  "set"
//!                                        E: __keyevent@0__:set  "k"
//! ```
//!
//! Checked by: tests/transcripts/pubsub/notifications.txt, server/tests/pubsub.rs.

use store::{Changed, Events, Witness};

use super::{Kind, Outbox};
use crate::clients::ClientId;
use crate::server::Server;

/// Tells what a unit has done, a client's or one that nobody asked for.
#[derive(Debug)]
pub struct Teller<'s> {
    server: &'s Server,
    outbox: Outbox<'s>,
    /// Whose unit it is.
    actor: Option<ClientId>,
}

impl<'s> Teller<'s> {
    /// For a unit of `worker`.
    #[must_use]
    pub fn new(server: &'s Server, worker: usize, actor: Option<ClientId>) -> Teller<'s> {
        Teller {
            server,
            outbox: Outbox::new(&server.mailboxes, worker),
            actor,
        }
    }

    /// Whether the worker has left letters for itself.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.outbox.has_own.get()
    }
}

impl Witness for Teller<'_> {
    fn tell(&self, events: &Events, changed: &Changed) {
        if !events.is_empty() {
            self.publish(events);
        }
        if !changed.is_empty() {
            let tracking = &self.server.tracking;
            tracking.invalidate(self.server, changed, self.actor, &self.outbox);
        }
    }
}

impl Teller<'_> {
    fn publish(&self, events: &Events) {
        let pubsub = &self.server.pubsub;
        if pubsub.is_silent(Kind::Channel) {
            return;
        }
        let (keyspace, keyevent) = self.server.event_channels();
        let mut channel = Vec::new();
        for event in events.iter() {
            let mut tell = |wanted: bool, what: &str, of: &[u8], payload: &[u8]| {
                if wanted {
                    channel.clear();
                    channel.extend(format!("__{what}@{}__:", event.db).bytes());
                    channel.extend_from_slice(of);
                    pubsub.publish(Kind::Channel, &channel, payload.into(), &self.outbox);
                }
            };
            let name = event.name.as_bytes();
            tell(keyspace, "keyspace", event.key, name);
            tell(keyevent, "keyevent", name, event.key);
        }
    }
}
