//! The way in: which addresses are listened on, and how that changes while the server runs.
//!
//! What is wanted stands in `Server::listening`; worker 0, which owns all listeners, opens what is
//! missing and closes what is not wanted any more. An address with a `-` in `bind` may be absent.

use std::io;
use std::sync::Arc;

use ::io::{Address, Close, Driver, ListenAt, ListenOptions, Token};

use crate::log;
use crate::server::Server;

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub at: ListenAt,
    /// Whether the server does without, when the address cannot be had (`-::1`).
    pub optional: bool,
}

/// Everything to listen on.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// The addresses.
    pub wanted: Vec<Wanted>,
    /// `tcp-backlog`, `socket-mark-id`.
    pub options: ListenOptions,
}

/// Worker 0's open listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Vec<(ListenAt, Token)>,
}

impl Listeners {
    /// Opens and closes until what is open is what is wanted.
    ///
    /// # Errors
    /// When an address that is not optional cannot be had; those before it stay open.
    pub(crate) fn reconcile<D: Driver>(
        &mut self,
        net: &mut D,
        server: &Arc<Server>,
    ) -> io::Result<()> {
        let listening = server.listening.lock().clone();
        self.open.retain(|(at, token)| {
            let stays = listening.wanted.iter().any(|wanted| wanted.at == *at);
            if !stays {
                net.close(*token, Close::Now);
            }
            stays
        });
        for wanted in &listening.wanted {
            if self.open.iter().any(|(at, _)| *at == wanted.at) {
                continue;
            }
            match net.listen(&wanted.at, &listening.options) {
                Ok((token, _)) => self.open.push((wanted.at.clone(), token)),
                Err(error) if wanted.optional && is_absent(&error) => {}
                Err(error) => {
                    let place = name(&wanted.at);
                    log::warning(format_args!(
                        "Could not create server listening socket {place}: {error}"
                    ));
                    return Err(io::Error::new(error.kind(), format!("{place}: {error}")));
                }
            }
        }
        let open: Vec<Address> = self
            .open
            .iter()
            .filter_map(|(_, token)| net.local_address(*token).ok())
            .collect();
        *server.addresses.lock() = open;
        Ok(())
    }

    /// Closes everything.
    pub(crate) fn close_all<D: Driver>(&mut self, net: &mut D) {
        for (_, token) in self.open.drain(..) {
            net.close(token, Close::Now);
        }
    }
}

/// Whether the address family or the address does not exist here, which an optional one may.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        // What systems without IPv6 say has no kind of its own.
        || matches!(error.raw_os_error(), Some(97 | 93 | 94 | 47 | 10_047))
}

fn name(at: &ListenAt) -> String {
    match at {
        ListenAt::Tcp(address) => address.to_string(),
        ListenAt::Unix { path, .. } => path.display().to_string(),
    }
}
