//! Hashes: fields with a value each, and perhaps a time at which they go.
//!
//! | file | commands |
//! |---|---|
//! | `set.rs` | HSET, HMSET, HSETNX, HDEL |
//! | `get.rs` | HGET, HMGET, HEXISTS, HSTRLEN, HLEN |
//! | `walk.rs` | HGETALL, HKEYS, HVALS, HSCAN |
//! | `count.rs` | HINCRBY, HINCRBYFLOAT |
//! | `random.rs` | HRANDFIELD |
//! | `expire.rs` | HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST |
//! | `ask.rs` | HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME |
//! | `extended.rs` | HGETEX, HSETEX, HGETDEL |
//! | `import.rs` | HIMPORT |
//! | `fields.rs` | `FIELDS numfields field ..`, times of fields |
//!
//! A field whose time is over is never shown. A command that names one removes it first
//! ([`store::Unit::expire_fields`]), as Redis does; HLEN counts what is held.
//!
//! What a hash is in memory: `store/src/value/hash/`.

mod ask;
mod count;
mod expire;
mod extended;
mod fields;
mod get;
mod import;
mod random;
mod set;
mod walk;

use resp::Reply;
use store::{EventClass, Key};

use crate::Call;
use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &set::HDEL,
    &get::HEXISTS,
    &expire::HEXPIRE,
    &expire::HEXPIREAT,
    &ask::HEXPIRETIME,
    &get::HGET,
    &walk::HGETALL,
    &extended::HGETDEL,
    &extended::HGETEX,
    &import::HIMPORT,
    &count::HINCRBY,
    &count::HINCRBYFLOAT,
    &walk::HKEYS,
    &get::HLEN,
    &get::HMGET,
    &set::HMSET,
    &expire::HPERSIST,
    &expire::HPEXPIRE,
    &expire::HPEXPIREAT,
    &ask::HPEXPIRETIME,
    &ask::HPTTL,
    &random::HRANDFIELD,
    &walk::HSCAN,
    &set::HSET,
    &extended::HSETEX,
    &set::HSETNX,
    &get::HSTRLEN,
    &ask::HTTL,
    &walk::HVALS,
];

/// A name or value as a bulk string.
fn say(element: collections::listpack::Element<'_>, reply: &mut Reply) {
    match element {
        collections::listpack::Element::Int(int) => reply.bulk_int(int),
        collections::listpack::Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Reports fields that were removed: the event, the count, and the key if it has none left.
fn report_removed(call: &mut Call<'_, '_>, key: Key<'_>, removed: u64, is_empty: bool) {
    if removed == 0 {
        return;
    }
    call.unit.notify(EventClass::HASH, "hdel", key.bytes());
    if is_empty {
        call.remove_emptied(key);
    }
    call.unit.dirty(removed);
}
