//! The hash that chooses an element's register, and the way back from registers to a number.
//!
//! ```text
//!   hash   [ 50 bits: how many zeros follow from the right ][ 14 bits: which register ]
//!   register = the longest run of zeros seen, plus one; at most 51
//! ```
//!
//! The estimate needs only how often each value occurs among the registers. Its steps are those of
//! Ertl's paper in the order in which Redis takes them, so that the number is the same to the last
//! bit: it is stored in the sketch, and data sets are compared.

use super::{REGISTER_BITS, REGISTERS};

/// How often each value occurs among the registers. Values above 51 occur in forged sketches only;
/// the estimate does not look at them.
pub(super) type Histogram = [u32; 64];

/// Bits of the hash in which zeros are counted.
const RUN_BITS: u32 = 64 - REGISTER_BITS;

/// The register that an element falls into, and the value that it asks for there.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur_64a(element);
    let register = hash as usize & (REGISTERS - 1);
    let run = (hash >> REGISTER_BITS | 1 << RUN_BITS).trailing_zeros() + 1;
    (register, run as u8)
}

/// MurmurHash2, its 64-bit form A, with the seed that all of Redis's sketches have.
fn murmur_64a(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xadc8_3b19;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ k >> 47).wrapping_mul(M);
        hash = (hash ^ k).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

/// How many different elements made these registers.
pub(super) fn cardinality(histogram: &Histogram) -> u64 {
    let m = REGISTERS as f64;
    let most = RUN_BITS as usize + 1;
    let mut z = m * tau((m - f64::from(histogram[most])) / m);
    for value in (1..most).rev() {
        z += f64::from(histogram[value]);
        z *= 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    // 0.5 / ln 2
    const ALPHA: f64 = std::f64::consts::LOG2_E / 2.0;
    let estimate = (ALPHA * m * m / z).round();
    if estimate.is_finite() {
        estimate as u64
    } else {
        // No register has a value that there can be: Redis's conversion gives this, and its highest
        // bit says at once that it is not worth keeping.
        1 << 63
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_ones() {
        // MurmurHash64A with this seed, as its reference code computes it.
        for (text, hash) in [
            ("", 0xd8df_ea65_85bc_9732),
            ("a", 0x53d2_470a_9b43_b1a7),
            ("12345678", 0x95eb_b863_8913_2953),
            ("foobarbaz", 0xd651_60dd_721a_9d88),
        ] {
            assert_eq!(murmur_64a(text.as_bytes()), hash, "{text}");
        }
        assert_eq!(place(b""), (0x1732, 2));
    }

    #[test]
    fn extremes() {
        let mut histogram = [0; 64];
        histogram[0] = REGISTERS as u32;
        assert_eq!(cardinality(&histogram), 0);
        histogram[0] -= 1;
        histogram[1] = 1;
        assert_eq!(cardinality(&histogram), 1);
        let mut forged = [0; 64];
        forged[63] = REGISTERS as u32;
        assert_eq!(cardinality(&forged), 1 << 63);
    }
}
