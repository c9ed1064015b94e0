//! LZF: the little compressor whose format RDB files use for strings.
//!
//! ```text
//!   000lllll  byte × (l + 1)                       literals, 1 to 32
//!   LLLooooo  oooooooo                             copy L + 2 bytes (L 1 to 6: 3 to 8) from o + 1 back
//!   111ooooo  llllllll  oooooooo                   copy l + 9 bytes (9 to 264) from o + 1 back
//! ```
//!
//! A copy may overlap what it writes, which is how runs are packed. Three bytes unfold to 264 at
//! most, so what compressed bytes may claim to hold is bounded by their own length
//! ([`unfolds_to_at_most`]), and nothing is reserved beyond that bound.
//!
//! The compressor is greedy with one candidate per hash of three bytes, the newest. Its table
//! keeps only the low 32 bits of positions: a candidate counts only when it lies within the window
//! and its bytes really agree, so a stale or wrapped position costs a miss and never an error.
//!
//! Checked by: payloads of Redis (`tests/redis.rs`), round trips over random and repetitive bytes,
//! fuzz/restore.

use crate::input::Malformed;

/// How far back a copy reaches.
const WINDOW: usize = 1 << 13;
/// The longest copy.
const COPY_BYTES_MAX: usize = 264;
/// The shortest copy that takes less room than its bytes.
const COPY_BYTES_MIN: usize = 3;
/// The longest run of literals.
const LITERALS_MAX: usize = 32;
/// The largest table: positions of 16,384 hashes, 64 KiB.
const TABLE_BITS_MAX: u32 = 14;

const _: () = assert!(COPY_BYTES_MAX == 2 + 7 + 255 && WINDOW == 1 << (5 + 8));

/// The compressor with its table, to be kept and used again.
#[derive(Debug, Default)]
pub struct Compressor {
    /// By the hash of three bytes: the low 32 bits of their last position, plus one; 0 for none.
    last: Vec<u32>,
}

impl Compressor {
    /// A compressor without a table yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `input` compressed to `out`, if it then takes `room` bytes at most; otherwise leaves
    /// `out` as it was and says no.
    #[must_use]
    pub fn compress(&mut self, input: &[u8], room: usize, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        // A table of more slots than there are positions would only cost the clearing.
        let bits = (usize::BITS - input.len().leading_zeros()).clamp(6, TABLE_BITS_MAX);
        self.last.clear();
        self.last.resize(1 << bits, 0);

        let mut at = 0;
        let mut literals_from = 0;
        while at + COPY_BYTES_MIN <= input.len() {
            let candidate = self.exchange(input, at, bits);
            let Some((back, length)) = candidate.and_then(|from| agree(input, from, at)) else {
                at += 1;
                continue;
            };
            push_literals(&input[literals_from..at], out);
            push_copy(back, length, out);
            if out.len() - begin > room {
                out.truncate(begin);
                return false;
            }
            let end = at + length;
            // The last two positions of a match are remembered: enough to continue a pattern, and
            // remembering all of them was not worth its time to the format's author either.
            for inside in end.saturating_sub(2).max(at + 1)..end {
                if inside + COPY_BYTES_MIN <= input.len() {
                    self.exchange(input, inside, bits);
                }
            }
            at = end;
            literals_from = end;
        }
        push_literals(&input[literals_from..], out);
        if out.len() - begin > room {
            out.truncate(begin);
            return false;
        }
        true
    }

    /// The last position with this one's hash; this one takes its place.
    fn exchange(&mut self, input: &[u8], at: usize, bits: u32) -> Option<usize> {
        let three = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
        let slot = (three.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize;
        // Position 2^32 - 1 would be remembered as "none": one match less in four gigabytes.
        let here = (at as u32).wrapping_add(1);
        let before = std::mem::replace(&mut self.last[slot], here);
        if before == 0 {
            return None;
        }
        let back = here.wrapping_sub(before) as usize;
        if back == 0 || back > WINDOW {
            None
        } else {
            at.checked_sub(back)
        }
    }
}

/// How far back and how long the bytes at `from` and at `at` agree, if that is worth a copy.
fn agree(input: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
    let longest = (input.len() - at).min(COPY_BYTES_MAX);
    let length = (0..longest)
        .take_while(|i| input[from + i] == input[at + i])
        .count();
    (length >= COPY_BYTES_MIN).then_some((at - from, length))
}

fn push_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERALS_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn push_copy(back: usize, length: usize, out: &mut Vec<u8>) {
    let offset = back - 1;
    let (high, low) = ((offset >> 8) as u8, offset as u8);
    let stored = length - 2;
    if stored < 7 {
        out.extend_from_slice(&[(stored as u8) << 5 | high, low]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (stored - 7) as u8, low]);
    }
}

/// The most that `compressed` bytes can unfold to.
#[must_use]
pub const fn unfolds_to_at_most(compressed: usize) -> usize {
    // Three bytes make a longest copy, two make one of eight bytes, and a run of literals shrinks.
    (compressed / 3 + 1).saturating_mul(COPY_BYTES_MAX)
}

/// Unfolds `compressed`, which must give exactly `length` bytes.
///
/// # Errors
/// [`Malformed::Compression`] when it does not, [`Malformed::Refused`] when the system refuses the
/// memory.
pub fn decompress(compressed: &[u8], length: u64) -> Result<Vec<u8>, Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed::Compression)?;
    if length > unfolds_to_at_most(compressed.len()) {
        return Err(Malformed::Compression);
    }
    let mut out = Vec::new();
    out.try_reserve_exact(length)
        .map_err(|_| Malformed::Refused)?;
    let mut rest = compressed;
    while let Some((&control, after)) = rest.split_first() {
        if usize::from(control) < LITERALS_MAX {
            let count = usize::from(control) + 1;
            let (literals, after) = after
                .split_at_checked(count)
                .ok_or(Malformed::Compression)?;
            if count > length - out.len() {
                return Err(Malformed::Compression);
            }
            out.extend_from_slice(literals);
            rest = after;
        } else {
            let (back, count, after) = read_copy(control, after).ok_or(Malformed::Compression)?;
            if count > length - out.len() || back > out.len() {
                return Err(Malformed::Compression);
            }
            copy_within(&mut out, back, count);
            rest = after;
        }
    }
    if out.len() == length {
        Ok(out)
    } else {
        Err(Malformed::Compression)
    }
}

/// How far back, how many bytes, and what follows.
fn read_copy(control: u8, rest: &[u8]) -> Option<(usize, usize, &[u8])> {
    let (extra, rest) = match control >> 5 {
        7 => rest
            .split_first()
            .map(|(extra, rest)| (usize::from(*extra), rest))?,
        _ => (0, rest),
    };
    let (&low, rest) = rest.split_first()?;
    let back = (usize::from(control & 0x1F) << 8 | usize::from(low)) + 1;
    Some((back, usize::from(control >> 5) + 2 + extra, rest))
}

/// Appends `count` bytes from `back` bytes before the end; both were checked.
fn copy_within(out: &mut Vec<u8>, back: usize, count: usize) {
    let from = out.len() - back;
    if back >= count {
        out.extend_from_within(from..from + count);
    } else {
        // It overlaps itself: what it has written is its own source, one period after another.
        let end = out.len() + count;
        while out.len() < end {
            let period = (out.len() - from).min(end - out.len());
            out.extend_from_within(from..from + period);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &[u8], compressed: Option<usize>) {
        let mut out = b"before".to_vec();
        let fits = Compressor::new().compress(input, usize::MAX, &mut out);
        assert!(fits);
        assert_eq!(
            decompress(&out[6..], input.len() as u64).as_deref(),
            Ok(input)
        );
        if let Some(expected) = compressed {
            assert_eq!(out.len() - 6, expected, "{input:?}");
        }
    }

    #[test]
    fn what_was_packed_unfolds() {
        check(b"", Some(0));
        check(b"a", Some(2));
        check(b"abc", Some(4));
        check(&[b'a'; 21], Some(5));
        check(&[b'a'; 1 + 264], Some(5));
        check(&[0; 100_000], None);
        let far: Vec<u8> = (0..3 * WINDOW as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        check(&far, None);
        check(&[&far[..WINDOW], &far[..WINDOW]].concat(), None);
        check(&[&far[..WINDOW - 1], &far[..WINDOW - 1]].concat(), None);
    }

    #[test]
    fn without_room_nothing_is_left_behind() {
        let mut out = b"x".to_vec();
        assert!(!Compressor::new().compress(b"abcdefghijklmnopqrstuvwxyz", 26, &mut out));
        assert_eq!(out, b"x");
        assert!(Compressor::new().compress(b"abcdefghijklmnopqrstuvwxyz", 27, &mut out));
        let mut out = Vec::new();
        assert!(!Compressor::new().compress(&[7; 1000], 4, &mut out));
        assert!(out.is_empty());
    }

    #[test]
    fn broken_bytes_are_refused() {
        for (compressed, length) in [
            (&[0x00][..], 1_u64),            // a literal is missing
            (&[0x00, b'a'], 2),              // too short
            (&[0x01, b'a', b'b'], 1),        // too long
            (&[0x20, 0x00], 3),              // a copy from before the beginning
            (&[0x00, b'a', 0x20, 0x01], 4),  // one byte too far back
            (&[0x00, b'a', 0x20], 4),        // an offset is missing
            (&[0x00, b'a', 0xE0], 10),       // a length is missing
            (&[0x00, b'a', 0xE0, 0x00], 10), // an offset is missing
            (&[0x00, b'a'], u64::MAX),       // a claim beyond the bound
            (&[0x00, b'a'], 1 << 40),
            (&[], 1),
        ] {
            assert_eq!(
                decompress(compressed, length),
                Err(Malformed::Compression),
                "{compressed:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(input in prop::collection::vec(0_u8..4, 0..2000)) {
            check(&input, None);
        }

        #[test]
        fn claims_stay_within_the_bound(compressed in prop::collection::vec(any::<u8>(), 0..200), length in 0_u64..60_000) {
            if let Ok(out) = decompress(&compressed, length) {
                prop_assert!(out.len() <= unfolds_to_at_most(compressed.len()));
            }
        }
    }
}
