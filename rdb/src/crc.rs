//! The checksum of files and payloads: CRC-64 with Jones's polynomial, as Redis uses it.
//!
//! ```text
//!   polynomial 0xad93d23594c935a9, reflected in and out, start 0, no final inversion
//! ```
//!
//! The library knows it as `CRC-64/REDIS` and uses carry-less multiplication where the processor
//! has it. The catalogue's check value and Redis's own payloads are the tests.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of `bytes`.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// A checksum that grows with a stream.
#[derive(Clone, Copy, Debug)]
pub struct Running(Digest);

impl Running {
    /// The checksum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Running(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Takes in the stream's next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Running {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, from the definition.
    fn by_definition(bytes: &[u8]) -> u64 {
        let polynomial = 0xad93_d235_94c9_35a9_u64.reverse_bits();
        bytes.iter().fold(0, |crc, byte| {
            (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
                if crc & 1 == 1 {
                    crc >> 1 ^ polynomial
                } else {
                    crc >> 1
                }
            })
        })
    }

    fn check(bytes: &[u8]) {
        let expected = by_definition(bytes);
        assert_eq!(checksum(bytes), expected, "{} bytes", bytes.len());
        for cut in [0, 1, bytes.len() / 2, bytes.len()] {
            let mut running = Running::new();
            running.add(&bytes[..cut.min(bytes.len())]);
            running.add(&bytes[cut.min(bytes.len())..]);
            assert_eq!(running.value(), expected, "cut at {cut} of {}", bytes.len());
        }
    }

    #[test]
    fn it_is_the_one_of_the_definition_at_every_length_and_cut() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let bytes: Vec<u8> = (0..2000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for length in (0..300).chain([511, 512, 1023, 2000]) {
            check(&bytes[..length]);
        }
    }
}
