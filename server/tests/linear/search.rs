//! Is there an order? The search of Wing and Gong, with Lowe's memory.
//!
//! ```text
//!   client 0   ├── SET s0 v1 ──┤        ├ GET s0 ┤
//!   client 1        ├─ GET s0 ─┤ ├──── EXEC ────┤
//!                  time ─►
//! ```
//!
//! A history is right when its operations can be put into an order in which (1) whatever had been
//! answered before another was asked stands before it, (2) a client's own stand as it asked them, and
//! (3) a server that does one after another answers just so. Operations on several keys and whole
//! transactions are operations like others, and the state is that of all keys: so this is strict
//! serializability, and linearizability by key with it.
//!
//! The search goes forward from the empty state: next may come, of each client, the first operation not
//! yet placed, if it was asked before the earliest answer among those. Where the model answers
//! otherwise, it turns back. A place that led nowhere (how far each client is, and the state) is not
//! entered again. With C clients at most C operations compete, so a history of thousands is searched in
//! milliseconds.
//!
//! Sources: Wing, Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for
//! linearizability" (2017).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::model::{Op, State};

/// An operation as it went.
#[derive(Clone, Debug)]
pub struct Event {
    pub op: Op,
    /// Before the request was sent, after its reply was read; any clock that all clients share.
    pub asked: u64,
    pub answered: u64,
    pub reply: String,
}

/// Looks for an order; if there is none, tells how far it came and what was to be placed there.
pub fn check(history: &[Vec<Event>]) -> Result<(), String> {
    let clients = history.len();
    // Two hashes of 64 bits for each place: it would take 2^64 places for one to be taken for another.
    let mut seen: HashSet<[u64; 2]> = HashSet::new();
    let keys = [RandomState::new(), RandomState::new()];
    // Depth first: each level is a place and the clients that have not been tried from it.
    let start = (vec![0; clients], State::new(clients));
    let mut path = vec![(candidates(history, &start.0), start.clone())];
    let mut deepest = start;
    while let Some((untried, (places, state))) = path.last_mut() {
        let Some(client) = untried.pop() else {
            path.pop();
            continue;
        };
        let event = &history[client][places[client]];
        let mut next = (places.clone(), state.clone());
        if next.1.apply(client, &event.op) != event.reply {
            continue;
        }
        next.0[client] += 1;
        if next
            .0
            .iter()
            .zip(history)
            .all(|(at, events)| *at == events.len())
        {
            return Ok(());
        }
        if !seen.insert([0, 1].map(|k: usize| keys[k].hash_one(&next))) {
            continue;
        }
        if next.0.iter().sum::<usize>() > deepest.0.iter().sum() {
            deepest = next.clone();
        }
        path.push((candidates(history, &next.0), next));
    }
    Err(stuck(history, &deepest))
}

/// The clients whose next operation may come now.
fn candidates(history: &[Vec<Event>], places: &[usize]) -> Vec<usize> {
    let next = |client: usize| history[client].get(places[client]);
    let all = 0..history.len();
    let first_answer = all
        .clone()
        .filter_map(next)
        .map(|event| event.answered)
        .min();
    let Some(first_answer) = first_answer else {
        return Vec::new();
    };
    let mut open: Vec<usize> = all
        .filter(|&client| next(client).is_some_and(|event| event.asked <= first_answer))
        .collect();
    // The last is tried first: the one that was answered first is most often the right one.
    open.sort_by_key(|&client| std::cmp::Reverse(next(client).map(|event| event.answered)));
    open
}

/// The place behind which nothing fits.
fn stuck(history: &[Vec<Event>], (places, state): &(Vec<usize>, State)) -> String {
    let placed: usize = places.iter().sum();
    let mut text =
        format!("no order: after {placed} operations, with {state:?}, none of these fits:");
    for client in candidates(history, places) {
        let event = &history[client][places[client]];
        let expected = state.clone().apply(client, &event.op);
        text += &format!(
            "\n  client {client}, asked {} answered {}: {:?}\n    was told {}, would be told {expected}",
            event.asked, event.answered, event.op, event.reply
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(op: Op, asked: u64, answered: u64, reply: &str) -> Event {
        Event {
            op,
            asked,
            answered,
            reply: reply.to_owned(),
        }
    }

    fn holds(history: &[Vec<Event>], expected: bool) {
        assert_eq!(check(history).is_ok(), expected, "{history:?}");
    }

    #[test]
    fn a_read_beside_a_write_may_see_either_and_behind_it_only_the_new() {
        let write = vec![event(Op::Set(0, 7), 10, 20, "+OK")];
        for (asked, answered, reply, expected) in [
            (12, 15, "nil", true),
            (12, 15, "$v7", true),
            (21, 22, "$v7", true),
            (21, 22, "nil", false),
            (1, 9, "$v7", false),
        ] {
            let read = vec![event(Op::Get(0), asked, answered, reply)];
            holds(&[write.clone(), read], expected);
        }
    }

    #[test]
    fn a_new_value_is_not_unseen_again() {
        let write = vec![event(Op::Set(0, 7), 0, 100, "+OK")];
        let first = vec![event(Op::Get(0), 10, 20, "$v7")];
        let second = vec![event(Op::Get(0), 30, 40, "nil")];
        holds(&[write, first, second], false);
    }

    #[test]
    fn half_of_a_transaction_is_never_seen() {
        let both = Op::Exec(vec![Op::Incr(0, 1), Op::Incr(1, 1)]);
        let write = vec![event(both, 0, 100, "[:1 :1]")];
        for (reply, expected) in [
            ("[nil nil nil nil]", true),
            ("[nil $1 nil $1]", true),
            ("[nil nil nil $1]", false),
        ] {
            let read = vec![event(Op::Mget, 10, 20, reply)];
            holds(&[write.clone(), read], expected);
        }
    }

    #[test]
    fn a_watched_key_that_changes_ends_the_transaction() {
        for (change_at, reply, expected) in
            [(20, "nil", true), (20, "[:1]", false), (50, "nil", false)]
        {
            let watcher = vec![
                event(Op::Watch(0), 0, 10, "+OK"),
                event(Op::Exec(vec![Op::Incr(0, 1)]), 30, 40, reply),
            ];
            let writer = vec![event(Op::Set(0, 1), change_at, change_at + 5, "+OK")];
            holds(&[watcher, writer], expected);
        }
    }
}
