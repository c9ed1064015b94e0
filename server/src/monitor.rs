//! MONITOR: every command that runs, told to those who asked.
//!
//!   +1700000000.123456 [0 127.0.0.1:40000] "SET" "k" "v"
//!
//! A line is made once and posted to the worker of every monitor; nobody waits. When there is no
//! monitor, which is always, a command pays one load.
//!
//! **Invariant:** words that a row or command declares secret (AUTH, HELLO AUTH) are not told, and no
//! byte of a word ends the line: words are quoted.
//!
//! Checked by: tests below, server/tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use resp::Args;

use crate::clients::{Client, ClientId};
use crate::mailbox::{Letter, Mailbox};

/// Those who asked.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    all: RwLock<Vec<(ClientId, usize)>>,
}

impl Monitors {
    /// Whether anybody listens.
    #[inline]
    #[must_use]
    pub fn any(&self) -> bool {
        // Relaxed: a command that runs while MONITOR is being called may be told or not.
        self.count.load(Ordering::Relaxed) != 0
    }

    /// A client becomes a monitor.
    pub fn enter(&self, client: &Client) {
        let mut all = self.all.write();
        all.push((client.id, client.worker));
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// A client is none any more.
    pub fn leave(&self, id: ClientId) {
        let mut all = self.all.write();
        all.retain(|&(monitor, _)| monitor != id);
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// Tells a command.
    pub fn tell(
        &self,
        mailboxes: &[Mailbox],
        unix_us: i64,
        db: u32,
        source: &io::Address,
        args: Args<'_>,
        hidden: impl Fn(usize) -> bool,
    ) {
        let line: Arc<[u8]> = line(unix_us, db, source, args, hidden).into();
        for &(to, worker) in &*self.all.read() {
            mailboxes[worker].post(Letter::Push {
                to,
                bytes: line.clone(),
            });
        }
    }
}

fn line(
    unix_us: i64,
    db: u32,
    source: &io::Address,
    args: Args<'_>,
    hidden: impl Fn(usize) -> bool,
) -> Vec<u8> {
    let (seconds, micros) = (unix_us.div_euclid(1_000_000), unix_us.rem_euclid(1_000_000));
    let source = match source {
        io::Address::Ip(_) => source.to_string(),
        io::Address::Unix(path) => format!("unix:{}", path.display()),
    };
    let mut line = format!("+{seconds}.{micros:06} [{db} {source}]").into_bytes();
    for (i, word) in args.iter().enumerate() {
        line.push(b' ');
        resp::repr_into(&mut line, if hidden(i) { b"(redacted)" } else { word });
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::OwnedArgs;

    #[test]
    fn a_line_is_redis_s() {
        let source = io::Address::Ip("127.0.0.1:40000".parse().expect("an address"));
        let args = OwnedArgs::from_slices(&["SET", "k\r\n", "secret"]);
        let line = line(1_700_000_000_000_456, 3, &source, args.as_args(), |i| {
            i == 2
        });
        let expected =
            "+1700000000.000456 [3 127.0.0.1:40000] \"SET\" \"k\\r\\n\" \"(redacted)\"\r\n";
        assert_eq!(String::from_utf8(line).expect("text"), expected);
    }
}
