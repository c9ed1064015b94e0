//! HyperLogLog: how many different elements were seen, in 12 KiB and with an error of 0.81 %.
//!
//! | file | what lives there |
//! |---|---|
//! | `add.rs` | PFADD PFMERGE |
//! | `count.rs` | PFCOUNT |
//! | `debug.rs` | PFDEBUG PFSELFTEST |
//! | `sketch.rs` | a string as a sketch: its head, what is judged when it is opened |
//! | `sparse.rs`, `dense.rs` | its two bodies |
//! | `estimate.rs` | from registers to a number; the hash that chooses a register |
//!
//! A sketch is a string like any other: GET shows it, SET brings it back, DUMP knows nothing of it.
//! So its bytes are Redis's, down to the order in which the sparse body splits and joins, and so is
//! the number that is kept in its head; and whatever a client may have written there is met with
//! suspicion. Source of the format: Redis's `hyperloglog.c`; of the estimate: Otmar Ertl, "New
//! cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284.

mod add;
mod count;
mod debug;
mod dense;
mod estimate;
mod sketch;
mod sparse;

#[cfg(test)]
mod tests;

use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &add::PFADD,
    &count::PFCOUNT,
    &debug::PFDEBUG,
    &add::PFMERGE,
    &debug::PFSELFTEST,
];

/// A sketch has so many registers; the low bits of an element's hash choose one.
const REGISTERS: usize = 1 << REGISTER_BITS;

const REGISTER_BITS: u32 = 14;

/// One byte a register: what sketches are merged in.
type Registers = [u8; REGISTERS];
