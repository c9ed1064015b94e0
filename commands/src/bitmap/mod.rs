//! Strings as rows of bits: SETBIT, BITCOUNT, BITOP, BITFIELD and their family.
//!
//! | file | commands |
//! |---|---|
//! | `bit.rs` | SETBIT GETBIT, and what an offset may be |
//! | `count.rs` | BITCOUNT BITPOS |
//! | `combine.rs` | BITOP |
//! | `field.rs` | BITFIELD BITFIELD_RO |
//!
//! ```text
//!   byte        0               1
//!   bit     0 1 2 3 4 5 6 7 | 8 9 …        bit 0 is the highest bit of byte 0
//! ```
//!
//! Behind its end a string is all zeros: reading there gives 0, writing there makes it longer.

mod bit;
mod combine;
mod count;
mod field;

use crate::spec::CommandSpec;

pub use bit::{GETBIT, SETBIT};
pub use combine::BITOP;
pub use count::{BITCOUNT, BITPOS};
pub use field::{BITFIELD, BITFIELD_RO};

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &BITCOUNT,
    &BITFIELD,
    &BITFIELD_RO,
    &BITOP,
    &BITPOS,
    &GETBIT,
    &SETBIT,
];
