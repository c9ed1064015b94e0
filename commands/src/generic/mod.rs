//! Commands about keys whatever they hold.
//!
//! | file | commands |
//! |---|---|
//! | `presence.rs` | DEL UNLINK EXISTS TOUCH TYPE |
//! | `rename.rs` | RENAME RENAMENX COPY MOVE |
//! | `walk.rs` | KEYS SCAN RANDOMKEY DBSIZE |
//! | `elements.rs` | what SSCAN, HSCAN and ZSCAN have in common; an element's reply |
//! | `flush.rs` | FLUSHDB FLUSHALL SWAPDB |
//! | `object.rs` | OBJECT |
//! | `dump.rs` | DUMP RESTORE |
//!
//! Those about time to live are the family `expire`. Handlers report events and dirty counts; that
//! a key came into being (`new`), expired or was missed is reported by the store.

use crate::error::CommandError;
use crate::spec::CommandSpec;

mod dump;
mod elements;
mod flush;
mod object;
mod presence;
mod rename;
mod walk;

pub(crate) use elements::{Walk, write_element};

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &rename::COPY,
    &walk::DBSIZE,
    &presence::DEL,
    &dump::DUMP,
    &presence::EXISTS,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &walk::KEYS,
    &rename::MOVE,
    &object::OBJECT,
    &walk::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &dump::RESTORE,
    &dump::RESTORE_ASKING,
    &walk::SCAN,
    &flush::SWAPDB,
    &presence::TOUCH,
    &presence::TYPE,
    &presence::UNLINK,
];

/// The database that a word names. Redis tells three mistakes apart: no number (`text` says so), a
/// number beyond 32 bits, and one without a database.
fn database(word: &[u8], databases: u32, text: CommandError) -> Result<u32, CommandError> {
    let number = resp::number::parse_i64(word).ok_or(text.clone())?;
    if i32::try_from(number).is_err() {
        // A command with a text of its own uses it here too.
        return Err(if text == CommandError::NotInteger {
            BEYOND_32_BITS
        } else {
            text
        });
    }
    u32::try_from(number)
        .ok()
        .filter(|db| *db < databases)
        .ok_or(CommandError::DbIndex)
}

const BEYOND_32_BITS: CommandError =
    CommandError::Fixed("ERR value is out of range, value must between -2147483648 and 2147483647");

/// COPY and MOVE from a place to itself.
const SAME_PLACE: CommandError =
    CommandError::Fixed("ERR source and destination objects are the same");
