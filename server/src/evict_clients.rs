//! `maxmemory-clients`: when all clients together hold too much, the largest ones go.
//!
//! What a client holds (input, half a request, MULTI's queue, output, subscriptions) its worker publishes at
//! the end of each turn in which it did something, and the sum of all is one word. The worker that finds
//! the sum above the limit kills clients, the largest first, until what the others hold fits; one that has
//! said CLIENT NO-EVICT ON stays, and so does who watches with MONITOR.
//!
//! **Invariant:** a client is evicted by whoever wins its claim, and counted once.
//!
//! Checked by: server/tests/evict.rs, Redis's unit/client-eviction.

use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;

use crate::client_line::client_line;
use crate::clients::{Claim, ClientFlags};
use crate::desk::Desk;
use crate::log;
use crate::server::Server;

/// The limit in bytes of `maxmemory-clients`, which is a percentage of `maxmemory` when negative; `None`
/// for no limit.
pub(crate) fn limit(parameter: i64, maxmemory: u64) -> Option<u64> {
    let bytes = match u64::try_from(parameter) {
        Ok(bytes) => bytes,
        Err(_) => {
            let percent = u128::from(parameter.unsigned_abs());
            u64::try_from(u128::from(maxmemory) * percent / 100).unwrap_or(u64::MAX)
        }
    };
    (bytes > 0).then_some(bytes)
}

/// Kills clients until the others hold no more than `limit` bytes.
#[cold]
pub(crate) fn evict_clients(server: &Server, desk: &Desk, limit: u64) {
    // Two workers at it would kill more than needed; the other one's turn ends with the same question.
    let Some(_alone) = server.evicting_clients.try_lock() else {
        return;
    };
    let mut held: Vec<_> = server.clients.list();
    held.retain(|client| client.claim() == Claim::Open);
    let bytes = |client: &crate::clients::Client| client.figures.memory_bytes.load(Relaxed);
    let mut sum: u64 = held.iter().map(|client| bytes(client)).sum();
    held.retain(|client| {
        let flags = client.flags();
        !flags.has(ClientFlags::NO_EVICT) && !flags.has(ClientFlags::MONITOR)
    });
    held.sort_by_key(|client| Reverse(bytes(client)));
    for client in held {
        if sum <= limit {
            return;
        }
        let line = client_line(&client, &server.commands, desk.monotonic_ms);
        sum = sum.saturating_sub(bytes(&client));
        if server.kill(&client) {
            log::notice(format_args!("Evicting client: {line}"));
            desk.figures.evicted_clients.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_bytes_or_a_share() {
        let check = |parameter, maxmemory, expected| {
            assert_eq!(limit(parameter, maxmemory), expected, "{parameter}");
        };
        check(0, 100, None);
        check(7, 100, Some(7));
        check(-7, 6_000_000, Some(420_000));
        check(-100, u64::MAX, Some(u64::MAX));
        // A share of no limit is none.
        check(-7, 0, None);
    }
}
