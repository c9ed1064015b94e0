//! Connections come: who is let in, by which worker it is served, who is turned away and how.

use io::{Close, Driver, Sent, Socket, SocketOptions};

use super::Worker;
use crate::clients::Now;
use crate::connection::Connection;
use crate::log;
use crate::mailbox::Letter;

/// What somebody from outside is told while protected mode is on.
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled \
and no password is set for the default user. In this mode connections are only accepted from the \
loopback interface. If you want to connect from external computers to Redis you may adopt one of the \
following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode \
no' from the loopback interface by connecting to Redis from the same host the server is running, \
however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to \
make this change permanent. 2) Alternatively you can just disable the protected mode by editing the \
Redis configuration file, and setting the protected mode option to 'no', and then restarting the \
server. 3) If you started the server manually just for testing, restart it with the \
'--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You \
only need to do one of the above things in order for the server to start accepting connections from \
the outside.\r\n";

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

impl<D: Driver> Worker<'_, D> {
    /// Lets in as many newcomers as a turn may bring; the others wait at the door, so that a burst
    /// of them does not hold up those who are served already.
    pub(super) fn let_in(&mut self) {
        for _ in 0..self.engine.desk.live.new_connections_per_turn {
            let Some(socket) = self.at_door.pop_front() else {
                return;
            };
            self.accepted(socket);
        }
    }

    /// A listener has taken a connection.
    fn accepted(&mut self, socket: Socket) {
        let desk = &self.engine.desk;
        let server = self.engine.server;
        if self.stopping {
            return;
        }
        let Some(worker) = server.clients.admit(desk.live.maxclients) else {
            desk.figures.connections_rejected.add(1);
            return self.turn_away(socket, TOO_MANY);
        };
        let open = desk.live.requirepass.is_none();
        if desk.live.protected_mode && open && !socket.peer().is_local() {
            server.clients.dismiss(worker);
            desk.figures.connections_rejected.add(1);
            return self.turn_away(socket, DENIED);
        }
        desk.figures.connections_received.add(1);
        if worker == self.index() {
            self.attach(socket);
        } else {
            server.mailboxes[worker].post(Letter::Newcomer(Box::new(socket)));
        }
    }

    /// Says why and closes.
    fn turn_away(&mut self, socket: Socket, why: &[u8]) {
        let Ok(token) = self.net.attach(socket, &SocketOptions::default()) else {
            return;
        };
        // Whether it could be sent is the peer's concern; closing politely lets it arrive.
        let _: Sent = self.net.send(token, why.to_vec().into());
        self.net.close(token, Close::Polite);
    }

    /// A connection comes to live here. It has been admitted.
    pub(super) fn attach(&mut self, socket: Socket) {
        let server = self.engine.server;
        let desk = &self.engine.desk;
        let peer = socket.peer().clone();
        let keepalive = desk
            .live
            .tcp_keepalive
            .map(|silence| u32::try_from(silence.as_secs()).unwrap_or(u32::MAX));
        let options = SocketOptions {
            keepalive_secs: keepalive,
            ..SocketOptions::default()
        };
        let attached = if self.stopping {
            Err(io::cancelled())
        } else {
            socket
                .local()
                .and_then(|local| Ok((local, self.net.attach(socket, &options)?)))
        };
        let (local, token) = match attached {
            Ok(attached) => attached,
            Err(error) => {
                log::verbose(format_args!(
                    "Error accepting a client connection: {error} ({peer})"
                ));
                return server.clients.dismiss(desk.worker);
            }
        };
        log::verbose(format_args!("Accepted {peer}"));
        let now = Now {
            unix_ms: desk.clock_ms,
            monotonic_ms: desk.monotonic_ms,
        };
        let descriptor = self.net.descriptor(token);
        let client = server
            .clients
            .enter(desk.worker, peer, local, descriptor, now);
        self.by_client.insert(client.id, token);
        let place = token.index();
        if self.connections.len() <= place {
            self.connections.resize_with(place + 1, || None);
        }
        let connection = Connection::new(token, client, desk);
        connection.publish();
        self.connections[place] = Some(Box::new(connection));
        self.receive_more(place);
    }
}
