//! The sparse body: runs of equal registers, for sketches that have seen little.
//!
//! ```text
//!   ZERO    00llllll             l + 1 registers are 0       1 … 64
//!   XZERO   01llllll llllllll    l + 1 registers are 0       1 … 16,384, high bits first
//!   VALUE   1vvvvvll             l + 1 registers are v + 1   1 … 4 registers, values 1 … 32
//! ```
//!
//! The runs together cover all 16,384 registers; a body of which that is not true is corrupt. One
//! that is raised in a register splits the run that covers it into up to three, and then joins equal
//! neighbours, looking at no more than five runs from the one before on. Other splits would hold the
//! same registers; these are Redis's, byte for byte.
//!
//! What a client has written may be corrupt and is noticed where it is met: a raise looks no
//! further than the run that covers its register. A run covers at least one register, so no whole
//! body is longer than [`BYTES_MAX`]; what is longer is corrupt unseen, and no work is longer.

use std::borrow::Cow;
use std::ops::Range;

use super::estimate::Histogram;
use super::sketch::{Corrupt, HEAD_BYTES};
use super::{REGISTERS, Registers, dense};

/// No body that covers each register once is longer: 16,384 runs of two bytes.
pub(super) const BYTES_MAX: usize = 2 * REGISTERS;

const VALUE_MAX: u8 = 32;
const VALUE_RUN_MAX: usize = 4;
const ZERO_RUN_MAX: usize = 64;

/// The body of a sketch that has seen nothing.
pub(super) const EMPTY: [u8; 2] = [0x7f, 0xff];

/// So many registers in a row have this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) len: usize,
    /// How many bytes say it.
    pub(super) bytes: usize,
}

/// The run at the beginning of `body`, which is not empty. What a long one lacks at the end counts as
/// zero, as it does where strings end with a zero byte.
fn run(body: &[u8]) -> Run {
    let first = body[0];
    match first >> 6 {
        0 => Run {
            value: 0,
            len: usize::from(first) + 1,
            bytes: 1,
        },
        1 => {
            let second = body.get(1).copied().unwrap_or(0);
            Run {
                value: 0,
                len: usize::from(u16::from_be_bytes([first & 0x3f, second])) + 1,
                bytes: 2,
            }
        }
        _ => Run {
            value: (first >> 2 & 0x1f) + 1,
            len: usize::from(first & 3) + 1,
            bytes: 1,
        },
    }
}

/// All runs, whatever they cover together.
pub(super) fn runs(mut body: &[u8]) -> impl Iterator<Item = Run> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let run = run(body);
        body = &body[run.bytes.min(body.len())..];
        Some(run)
    })
}

/// Shows each run with the registers that it covers; corrupt unless they are all registers.
fn covered(body: &[u8], mut show: impl FnMut(Range<usize>, u8)) -> Result<(), Corrupt> {
    let mut at = 0;
    for run in runs(body) {
        let end = at + run.len;
        if end > REGISTERS {
            return Err(Corrupt);
        }
        show(at..end, run.value);
        at = end;
    }
    if at == REGISTERS {
        Ok(())
    } else {
        Err(Corrupt)
    }
}

/// Raises each of `all` to what the body has there.
pub(super) fn merge(body: &[u8], all: &mut Registers) -> Result<(), Corrupt> {
    covered(body, |registers, value| {
        if value > 0 {
            for register in &mut all[registers] {
                *register = value.max(*register);
            }
        }
    })
}

/// Counts the body's values.
pub(super) fn histogram(body: &[u8]) -> Result<Histogram, Corrupt> {
    let mut counts = [0; 64];
    covered(body, |registers, value| {
        counts[usize::from(value)] += registers.len() as u32
    })?;
    Ok(counts)
}

/// The same registers in a dense body of zeros.
pub(super) fn expand(body: &[u8], into: &mut [u8]) -> Result<(), Corrupt> {
    covered(body, |registers, value| {
        if value > 0 {
            registers.for_each(|register| dense::set(into, register, value));
        }
    })
}

/// What came of a raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// The register was not below.
    No,
    /// It was, and is as wanted.
    Yes,
    /// It was, and a sparse body may not hold that: nothing has changed.
    TooLarge,
}

/// A run's beginning: its first byte within the sketch, and the first register that it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    at: usize,
    register: usize,
}

impl Mark {
    /// The first run.
    pub(super) fn first() -> Mark {
        Mark {
            at: HEAD_BYTES,
            register: 0,
        }
    }
}

/// Raises register `index` of a sparse sketch, its head included, to `value`. The search begins at
/// `from`, which then moves to the run before the one before: far enough back for what a later
/// raise of a higher register may join.
pub(super) fn raise(
    sketch: &mut Cow<'_, [u8]>,
    (index, value): (usize, u8),
    bytes_max: usize,
    from: &mut Mark,
) -> Result<Raised, Corrupt> {
    if sketch.len() > HEAD_BYTES + BYTES_MAX {
        return Err(Corrupt);
    }
    if value > VALUE_MAX {
        return Ok(Raised::TooLarge);
    }
    let (mut mark, mut before) = (*from, *from);
    let found = loop {
        if mark.at >= sketch.len() {
            return Err(Corrupt);
        }
        let found = run(&sketch[mark.at..]);
        if index < mark.register + found.len {
            break found;
        }
        *from = before;
        before = mark;
        mark = Mark {
            at: mark.at + found.bytes,
            register: mark.register + found.len,
        };
    };
    if found.value >= value {
        return Ok(Raised::No);
    }
    if mark.at + found.bytes > sketch.len() {
        return Err(Corrupt);
    }
    let mut split = Split::default();
    split.push(found.value, index - mark.register);
    split.push(value, 1);
    split.push(found.value, mark.register + found.len - index - 1);
    let split = &split.bytes[..split.len];
    if split.len() > found.bytes && sketch.len() + split.len() - found.bytes > bytes_max {
        return Ok(Raised::TooLarge);
    }
    let bytes = sketch.to_mut();
    bytes.splice(mark.at..mark.at + found.bytes, split.iter().copied());
    join(bytes, before.at);
    Ok(Raised::Yes)
}

/// The runs that take the place of one.
#[derive(Default)]
struct Split {
    bytes: [u8; 5],
    len: usize,
}

impl Split {
    fn push(&mut self, value: u8, len: usize) {
        let Some(less) = len.checked_sub(1) else {
            return;
        };
        let said = if value > 0 {
            &[0x80 | (value - 1) << 2 | less as u8][..]
        } else if len <= ZERO_RUN_MAX {
            &[less as u8][..]
        } else {
            &[0x40 | (less >> 8) as u8, less as u8][..]
        };
        self.bytes[self.len..][..said.len()].copy_from_slice(said);
        self.len += said.len();
    }
}

/// Joins equal runs of values, looking at five places from `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(&here) = bytes.get(at) else { return };
        if here >> 6 < 2 {
            at += 1 + usize::from(here >> 6);
            continue;
        }
        if let Some(&next) = bytes.get(at + 1) {
            let len = usize::from(here & 3) + usize::from(next & 3) + 2;
            if here >> 2 == next >> 2 && len <= VALUE_RUN_MAX {
                bytes[at + 1] = here & !3 | (len - 1) as u8;
                bytes.remove(at);
                continue;
            }
        }
        at += 1;
    }
}
