//! Which clients: the options that CLIENT LIST and CLIENT KILL share.
//!
//!   words ─▶ [ condition, … ] ─▶ a client is chosen when all of them hold
//!
//! Redis has TYPE and ID for LIST, and ID, ADDR, LADDR, TYPE, USER, SKIPME and MAXAGE for KILL; the
//! other options and their NOT- forms are Valkey 9's, for both. A condition said twice counts as it
//! was said last. Of an unclear number each command says what Redis's says of it.
//!
//! **Invariant:** whoever has been claimed (killed, or closing) is not chosen any more, though its
//! worker may not have removed it yet.
//!
//! Checked by: tests below, tests/transcripts/connection/client.txt.

use std::mem::discriminant;
use std::sync::atomic::Ordering::Relaxed;

use commands::CommandError;

use crate::admin::AdminCall;
use crate::clients::{Claim, Client, ClientFlags};

/// The letters that may stand in `flags=`, Pub/Sub's and replication's included.
const FLAG_LETTERS: &[u8] = b"OSMPxbtRBdcuAUreTIN";

/// Whose filter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    List,
    Kill,
}

/// Conditions on a client, all of which must hold.
#[derive(Debug, Default)]
pub(super) struct Filter<'w> {
    conditions: Vec<Condition<'w>>,
}

#[derive(Debug)]
struct Condition<'w> {
    /// A NOT- form.
    negated: bool,
    what: What<'w>,
}

#[derive(Debug)]
enum What<'w> {
    Addr(&'w [u8]),
    Capa(&'w [u8]),
    Db(u32),
    Flags(&'w [u8]),
    Ids(Vec<i64>),
    IdleSeconds(i64),
    Ip(&'w [u8]),
    LocalAddr(&'w [u8]),
    AgeSeconds(i64),
    LibName(&'w [u8]),
    LibVersion(&'w [u8]),
    Name(&'w [u8]),
    Class(Class),
    /// The caller; negated by SKIPME YES.
    Caller(bool),
    User(&'w [u8]),
}

/// What TYPE tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Monitors too, subscribers not.
    Normal,
    PubSub,
    /// Primaries and replicas: there is no replication yet.
    Replication,
}

impl<'w> Filter<'w> {
    /// CLIENT KILL's old form.
    pub(super) fn addr(addr: &'w [u8]) -> Filter<'w> {
        let mut filter = Filter::default();
        filter.set(false, What::Addr(addr));
        filter
    }

    /// The options from word 2 on.
    pub(super) fn parse(call: &AdminCall<'w, '_>, whose: For) -> Result<Filter<'w>, CommandError> {
        let mut filter = Filter::default();
        filter.set(false, What::Caller(whose == For::Kill));
        let mut at = 2;
        while at < call.args.len() {
            let word = call.args.get(at).to_ascii_lowercase();
            let (negated, option) = match word.strip_prefix(b"not-") {
                Some(option) => (true, option),
                None => (false, word.as_slice()),
            };
            if at + 1 == call.args.len() {
                return Err(CommandError::Syntax);
            }
            let value = call.args.get(at + 1);
            at += 2;
            let what = match option {
                b"addr" => What::Addr(value),
                b"capa" => What::Capa(known_letters(value, b"r", "capa")?),
                b"db" => What::Db(database(value, call.desk.live.settings.databases)?),
                b"flags" => What::Flags(known_letters(value, FLAG_LETTERS, "flags")?),
                b"id" => {
                    let mut ids = vec![client_id(value, whose)?];
                    while let Some(id) = call.args.try_get(at).and_then(resp::number::parse_i64) {
                        ids.push(id);
                        at += 1;
                    }
                    What::Ids(ids)
                }
                b"idle" if !negated => What::IdleSeconds(seconds(value, "idle")?),
                b"ip" => What::Ip(value),
                b"laddr" => What::LocalAddr(value),
                b"lib-name" => What::LibName(value),
                b"lib-ver" => What::LibVersion(value),
                b"maxage" if !negated => What::AgeSeconds(seconds(value, "maxage")?),
                b"name" => What::Name(value),
                b"skipme" if !negated => What::Caller(yes_or_no(value)?),
                b"type" => class(value)?,
                b"user" => What::User(user(value)?),
                _ => return Err(CommandError::Syntax),
            };
            filter.set(negated, what);
        }
        Ok(filter)
    }

    fn set(&mut self, negated: bool, what: What<'w>) {
        self.conditions.retain(|known| {
            known.negated != negated || discriminant(&known.what) != discriminant(&what)
        });
        self.conditions.push(Condition { negated, what });
    }

    /// Whether the client is chosen. `monotonic_ms` is the reader's clock.
    pub(super) fn chooses(&self, client: &Client, caller: &Client, monotonic_ms: i64) -> bool {
        client.claim() == Claim::Open
            && self
                .conditions
                .iter()
                .all(|one| one.what.holds(client, caller, monotonic_ms) != one.negated)
    }
}

impl What<'_> {
    fn holds(&self, client: &Client, caller: &Client, monotonic_ms: i64) -> bool {
        let figures = &client.figures;
        let seconds_since = |then_ms: i64| (monotonic_ms - then_ms).max(0) / 1_000;
        let names = || client.names();
        match self {
            What::Addr(addr) => client.peer.to_string().as_bytes() == *addr,
            What::AgeSeconds(least) => seconds_since(client.created_ms) >= *least,
            What::Caller(skipped) => !skipped || client.id != caller.id,
            // The only letter is `r`.
            What::Capa(letters) => {
                letters.is_empty() || client.flags().has(ClientFlags::CAPA_REDIRECT)
            }
            What::Db(db) => figures.db.load(Relaxed) == *db,
            What::Flags(letters) => {
                let set = client.flags().letters();
                letters.iter().all(|letter| set.as_bytes().contains(letter))
            }
            What::Ids(ids) => ids
                .iter()
                .any(|&id| u64::try_from(id).is_ok_and(|id| id == client.id.0)),
            What::IdleSeconds(least) => seconds_since(figures.active_ms.load(Relaxed)) >= *least,
            What::Ip(ip) => match &client.peer {
                io::Address::Ip(peer) => peer.ip().to_canonical().to_string().as_bytes() == *ip,
                io::Address::Unix(_) => false,
            },
            What::LibName(name) => *names().lib_name == **name,
            What::LibVersion(version) => *names().lib_version == **version,
            What::LocalAddr(addr) => client.local.to_string().as_bytes() == *addr,
            What::Name(name) => *names().name == **name,
            What::Class(class) => {
                *class
                    == if client.flags().has(ClientFlags::PUBSUB) {
                        Class::PubSub
                    } else {
                        Class::Normal
                    }
            }
            What::User(user) => *names().user == **user,
        }
    }
}

fn client_id(word: &[u8], whose: For) -> Result<i64, CommandError> {
    let id = resp::number::parse_i64(word);
    match whose {
        For::List => id.ok_or(CommandError::Fixed("ERR Invalid client ID")),
        For::Kill => id.filter(|&id| id > 0).ok_or(CommandError::Fixed(
            "ERR client-id should be greater than 0",
        )),
    }
}

fn seconds(word: &[u8], option: &str) -> Result<i64, CommandError> {
    let wrong = |why: &str| CommandError::Text(format!("ERR {option} {why}").into());
    let seconds =
        resp::number::parse_i64(word).ok_or_else(|| wrong("is not an integer or out of range"))?;
    if seconds > 0 {
        Ok(seconds)
    } else {
        Err(wrong("should be greater than 0"))
    }
}

fn database(word: &[u8], databases: u32) -> Result<u32, CommandError> {
    let number = resp::number::parse_i64(word)
        .and_then(|number| i32::try_from(number).ok())
        .ok_or(CommandError::Fixed(
            "ERR DB is not an integer or out of range",
        ))?;
    match u32::try_from(number) {
        Ok(db) if db < databases => Ok(db),
        _ => {
            let last = databases - 1;
            let text = format!("ERR DB number should be between 0 and {last}");
            Err(CommandError::Text(text.into()))
        }
    }
}

fn known_letters<'w>(word: &'w [u8], known: &[u8], option: &str) -> Result<&'w [u8], CommandError> {
    if word.iter().all(|letter| known.contains(letter)) {
        return Ok(word);
    }
    let shown = String::from_utf8_lossy(word);
    let text = format!("ERR Unknown {option} found in the provided filter: {shown}");
    Err(CommandError::Text(text.into()))
}

fn class<'w>(word: &[u8]) -> Result<What<'w>, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(What::Class(Class::Normal)),
        b"pubsub" => Ok(What::Class(Class::PubSub)),
        b"master" | b"primary" | b"replica" | b"slave" => Ok(What::Class(Class::Replication)),
        _ => {
            let text = format!(
                "ERR Unknown client type '{}'",
                String::from_utf8_lossy(word)
            );
            Err(CommandError::Text(text.into()))
        }
    }
}

fn user(word: &[u8]) -> Result<&[u8], CommandError> {
    if word == b"default" {
        return Ok(word);
    }
    let text = format!("ERR No such user '{}'", String::from_utf8_lossy(word));
    Err(CommandError::Text(text.into()))
}

fn yes_or_no(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Clients;

    #[test]
    fn conditions_hold_together_and_the_last_word_counts() {
        let clients = Clients::default();
        let address = || io::Address::Ip("[::ffff:127.0.0.1]:7".parse().expect("an address"));
        let now = crate::clients::Now {
            unix_ms: 5,
            monotonic_ms: 0,
        };
        let caller = clients.enter(0, address(), address(), 9, now);
        let other = clients.enter(0, address(), address(), 9, now);
        let check = |conditions: Vec<(bool, What<'_>)>, expected: [bool; 2]| {
            let mut filter = Filter::default();
            let shown = format!("{conditions:?}");
            for (negated, what) in conditions {
                filter.set(negated, what);
            }
            let chosen = [&caller, &other].map(|client| filter.chooses(client, &caller, 9_500));
            assert_eq!(chosen, expected, "{shown}");
        };
        check(vec![], [true, true]);
        check(vec![(false, What::Caller(true))], [false, true]);
        check(
            vec![(false, What::Caller(true)), (false, What::Caller(false))],
            [true, true],
        );
        check(vec![(false, What::Ids(vec![2]))], [false, true]);
        check(vec![(true, What::Ids(vec![2]))], [true, false]);
        check(
            vec![(true, What::Ids(vec![2])), (false, What::Ids(vec![2]))],
            [false, false],
        );
        check(vec![(false, What::Ids(vec![-1, 0, 1]))], [true, false]);
        check(vec![(false, What::Ip(b"127.0.0.1"))], [true, true]);
        check(vec![(false, What::Ip(b"127.0.0.1:7"))], [false, false]);
        check(vec![(false, What::Addr(b"127.0.0.1:7"))], [true, true]);
        check(vec![(false, What::AgeSeconds(9))], [true, true]);
        check(vec![(false, What::AgeSeconds(10))], [false, false]);
        check(vec![(false, What::Flags(b"N"))], [true, true]);
        check(vec![(true, What::Flags(b"NO"))], [true, true]);
        check(vec![(true, What::Capa(b"r"))], [true, true]);
        assert!(other.try_claim(Claim::Killed));
        check(vec![], [true, false]);
    }
}
