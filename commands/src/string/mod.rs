//! Strings: GET, SET and their family.
//!
//! | file | commands |
//! |---|---|
//! | `get.rs` | GET GETDEL GETEX GETSET MGET STRLEN DIGEST |
//! | `set.rs` | SET SETEX PSETEX SETNX, and how they store |
//! | `condition.rs` | DELEX DELIFEQ, and what NX, XX and IF… mean |
//! | `many.rs` | MSET MSETNX MSETEX |
//! | `part.rs` | APPEND GETRANGE SETRANGE SUBSTR |
//! | `count.rs` | INCR DECR INCRBY DECRBY INCRBYFLOAT |
//! | `increx.rs` | INCREX |
//! | `extended.rs` | the 80-bit floats of INCRBYFLOAT |
//! | `lcs.rs` | LCS |
//!
//! **Invariant:** what reaches the change log never depends on the clock of whoever replays it: an
//! expiry is logged as the moment that was computed here, a float as its text.

mod condition;
mod count;
mod get;
mod increx;
mod lcs;
mod many;
mod part;
mod set;

use resp::{Args, Reply};
use store::{Deadline, EventClass, Key, NewStr, Refused, Slot, Str, Unit};

use crate::call::{Call, Settings};
use crate::error::CommandError;
use crate::spec::CommandSpec;

pub use condition::{DELEX, DELIFEQ};
pub use count::{DECR, DECRBY, INCR, INCRBY, INCRBYFLOAT};
pub use get::{DIGEST, GET, GETDEL, GETEX, GETSET, MGET, STRLEN};
pub use increx::INCREX;
pub use lcs::LCS;
pub use many::{MSET, MSETEX, MSETNX};
pub use part::{APPEND, GETRANGE, SETRANGE, SUBSTR};
pub use set::{PSETEX, SET, SETEX, SETNX};

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &APPEND,
    &DECR,
    &DECRBY,
    &DELEX,
    &DELIFEQ,
    &DIGEST,
    &GET,
    &GETDEL,
    &GETEX,
    &GETRANGE,
    &GETSET,
    &INCR,
    &INCRBY,
    &INCRBYFLOAT,
    &INCREX,
    &LCS,
    &MGET,
    &MSET,
    &MSETEX,
    &MSETNX,
    &PSETEX,
    &SET,
    &SETEX,
    &SETNX,
    &SETRANGE,
    &STRLEN,
    &SUBSTR,
];

/// Replies with a string; a large one that has its own allocation goes out without a copy.
#[inline]
pub(crate) fn say(reply: &mut Reply, value: Str<'_>) {
    match value {
        Str::Int(n) => reply.bulk_int(n),
        Str::Bytes(bytes) => reply.bulk(bytes),
        Str::Blob(blob) => reply.blob(blob, 0..blob.len()),
    }
}

/// Word `index` as a value: a large word that was received into its own allocation moves in, a
/// number is kept as a number.
#[inline]
pub(crate) fn incoming(args: Args<'_>, index: usize) -> NewStr<'_> {
    match args.blob(index) {
        Some(blob) => NewStr::Blob(blob.clone()),
        None => NewStr::of(args.get(index)),
    }
}

/// Makes `key` hold `value`, whatever it held before.
pub(crate) fn overwrite(
    unit: &mut Unit<'_>,
    key: Key<'_>,
    value: NewStr<'_>,
    deadline: Deadline,
) -> Result<(), Refused> {
    match unit.slot(key) {
        Slot::Occupied(mut slot) => slot.set_string(value, deadline),
        Slot::Vacant(slot) => {
            let at = match deadline {
                Deadline::At(at) => Some(at),
                Deadline::Keep | Deadline::Clear => None,
            };
            slot.insert_string(value, at)
        }
    }
}

/// Removes a key whose new deadline has passed before it was set; gives whether it was there.
/// Logged as the removal that it is, in the way that `lazyfree-lazy-expire` wants.
pub(crate) fn remove_passed(call: &mut Call<'_, '_>, key: Key<'_>) -> bool {
    let lazy = call.settings.lazy_expire;
    let was = if lazy {
        call.unit.unlink(key)
    } else {
        call.unit.remove(key)
    };
    if was {
        let word: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        call.unit.notify(EventClass::GENERIC, "del", key.bytes());
        call.unit.dirty(1);
        call.unit.log(&[word, key.bytes()]);
    }
    was
}

/// The length of a string that is to grow to `begin + more` bytes, unless nobody may have so long
/// a one.
pub(crate) fn grown(settings: &Settings, begin: u64, more: usize) -> Result<usize, CommandError> {
    begin
        .checked_add(more as u64)
        .filter(|&total| total <= settings.string_bytes_max)
        .and_then(|total| usize::try_from(total).ok())
        .ok_or(CommandError::StringTooLong)
}
