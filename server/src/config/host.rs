//! The server as the configuration sees it, and the addresses that `bind` and `port` mean.
//!
//! | written | listened on |
//! |---|---|
//! | `127.0.0.1`, `::1` | this address |
//! | `*`, `::*` | every IPv4, every IPv6 address |
//! | `-::1` | this address, if the machine has it |
//! | `localhost` | every address that the name has |
//!
//! A change while the server runs is tried first on a loop of its own that is thrown away: the caller
//! hears of a port that is taken before anything has changed. Then worker 0, which owns the
//! listeners, opens what is new and closes what is not wanted any more.

use super::apply::Host;
use super::{Config, apply};
use crate::listen::{Listening, Wanted};
use crate::live::Live;
use crate::mailbox::Letter;
use crate::server::Server;
use ::io::{Driver as _, ListenAt, ListenOptions, Loop};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Config {
    /// Everything to listen on.
    ///
    /// # Errors
    /// A name that cannot be resolved, with the system's words.
    pub fn listening(&self) -> Result<Listening, String> {
        let small = |name: &str| u32::try_from(self.number(name)).unwrap_or(u32::MAX);
        let port = u16::try_from(self.number("port")).expect("within its row's range");
        let mut wanted = addresses(&self.words("bind"), port)?;
        if let Some(path) = self.path("unixsocket") {
            let mode = Some(small("unixsocketperm")).filter(|mode| *mode != 0);
            wanted.push(Wanted {
                at: ListenAt::Unix { path, mode },
                optional: false,
            });
        }
        let options = ListenOptions {
            backlog: small("tcp-backlog"),
            mark: small("socket-mark-id"),
        };
        Ok(Listening { wanted, options })
    }
}

/// The addresses of `bind` with a port; none when the port is 0.
fn addresses(bind: &[String], port: u16) -> Result<Vec<Wanted>, String> {
    let mut wanted: Vec<Wanted> = Vec::new();
    if port == 0 {
        return Ok(wanted);
    }
    for word in bind {
        let (name, optional) = word
            .strip_prefix('-')
            .map_or((&**word, false), |name| (name, true));
        let found: Vec<SocketAddr> = match name {
            "*" => vec![(IpAddr::from(Ipv4Addr::UNSPECIFIED), port).into()],
            "::*" => vec![(IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into()],
            name => match (name, port).to_socket_addrs() {
                Ok(found) => found.collect(),
                Err(_) if optional => Vec::new(),
                Err(e) => {
                    return Err(format!(
                        "Could not resolve '{name}' of bind: {}",
                        os::files::error_text(&e)
                    ));
                }
            },
        };
        for address in found {
            // Of two spellings of one address the one that insists counts.
            let at = ListenAt::Tcp(address);
            match wanted.iter_mut().find(|w| w.at == at) {
                Some(known) => known.optional &= optional,
                None => wanted.push(Wanted { at, optional }),
            }
        }
    }
    Ok(wanted)
}

/// How long CONFIG SET waits for worker 0 to open a port: much longer than its turns take.
const LISTEN_PATIENCE: Duration = Duration::from_secs(1);

impl Server {
    /// Another worker's CONFIG SET waits for worker 0, so that a client that has the reply can
    /// connect. This one command may hold its worker for a turn of the other.
    fn wait_until_heard(&self) {
        let thread = std::thread::current();
        let is_other = thread
            .name()
            .is_some_and(|name| name.starts_with("worker-") && name != "worker-0");
        let began = Instant::now();
        // Acquire: the port is open when the flag is seen lowered.
        while is_other && self.relisten.load(Ordering::Acquire) && began.elapsed() < LISTEN_PATIENCE
        {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Host for Server {
    fn publish(&self, live: Live) {
        self.set_live(live);
    }

    fn listen(&self, bind: &[String], port: u16) -> Result<(), String> {
        let mut listening = self.listening.lock().clone();
        let fresh = addresses(bind, port)?;
        try_out(&fresh, &listening)?;
        listening
            .wanted
            .retain(|w| matches!(w.at, ListenAt::Unix { .. }));
        listening.wanted.splice(0..0, fresh);
        *self.listening.lock() = listening;
        // Release: worker 0 reads what is wanted after the flag.
        self.relisten.store(true, Ordering::Release);
        self.mailboxes[0].post(Letter::Listen);
        self.wait_until_heard();
        Ok(())
    }

    fn turn_log(&self, on: bool) -> Result<(), String> {
        Server::turn_log(self, on)
    }

    fn is_loading(&self) -> bool {
        self.persistence.loading().is_some()
    }
}

/// Listens for a moment on what is not open yet.
fn try_out(fresh: &[Wanted], now: &Listening) -> Result<(), String> {
    let mut trial = Loop::new().map_err(|e| os::files::error_text(&e))?;
    for wanted in fresh
        .iter()
        .filter(|w| !now.wanted.iter().any(|open| open.at == w.at))
    {
        if let Err(e) = trial.listen(&wanted.at, &now.options)
            && !wanted.optional
        {
            let ListenAt::Tcp(address) = wanted.at else {
                unreachable!("only addresses are tried")
            };
            return Err(format!(
                "Could not create server TCP listening socket {address}: {}",
                os::files::error_text(&e)
            ));
        }
    }
    Ok(())
}

/// How many files are needed beside clients.
#[must_use]
pub fn reserved_files() -> u64 {
    apply::RESERVED_FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bind: &[&str], expected: &[(&str, bool)]) {
        let bind: Vec<String> = bind.iter().map(|w| (*w).to_owned()).collect();
        let got = addresses(&bind, 7000).expect("all resolve");
        let got: Vec<(String, bool)> = got
            .into_iter()
            .map(|w| match w.at {
                ListenAt::Tcp(address) => (address.to_string(), w.optional),
                ListenAt::Unix { .. } => unreachable!("bind names no path"),
            })
            .collect();
        let expected: Vec<(String, bool)> = expected
            .iter()
            .map(|(a, o)| ((*a).to_owned(), *o))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn words_of_bind() {
        check(
            &["127.0.0.1", "-::1"],
            &[("127.0.0.1:7000", false), ("[::1]:7000", true)],
        );
        check(
            &["*", "-::*"],
            &[("0.0.0.0:7000", false), ("[::]:7000", true)],
        );
        check(&["-127.0.0.1", "127.0.0.1"], &[("127.0.0.1:7000", false)]);
        check(&[], &[]);
        assert!(
            addresses(&["no.such.name.invalid".to_owned()], 1)
                .is_err_and(|why| why.contains("resolve"))
        );
        assert_eq!(addresses(&["*".to_owned()], 0).map(|a| a.len()), Ok(0));
    }
}
