//! `--test-memory MEGABYTES`: writes patterns into memory and reads them back.
//!
//! A word that comes back different is broken memory. The passes differ in what they provoke: the
//! address as its own value finds lines that are shorted, random values and their complements find bits that
//! stick, stripes find neighbours that disturb each other. Fifty rounds take about a minute a gigabyte.

use crate::exit::Exit;
use std::hint::black_box;

const ROUNDS: u32 = 50;

/// Tests, and says what came of it.
pub(crate) fn run(megabytes: u64) -> Exit {
    let words = megabytes.saturating_mul(1 << 20) / 8;
    let mut block: Vec<u64> = Vec::new();
    let words = usize::try_from(words).unwrap_or(usize::MAX);
    if block.try_reserve_exact(words).is_err() {
        eprintln!("Unable to allocate {megabytes} megabytes");
        return Exit::Configuration;
    }
    block.resize(words, 0);
    for round in 1..=ROUNDS {
        println!("Round {round} of {ROUNDS}");
        if let Some((at, found, wanted)) = test(&mut block, round) {
            println!(
                "\n*** MEMORY ADDRESSING ERROR: word {at} holds {found:016x} instead of {wanted:016x}"
            );
            println!(
                "The memory of this machine is broken. Replace it before you trust it with data."
            );
            return Exit::Found;
        }
    }
    println!("\nYour memory passed this test.");
    println!("Please if you are still in doubt use the following two tools:");
    println!("1) memtest86: http://www.memtest86.com/");
    println!("2) memtester: http://pyropus.ca/software/memtester/");
    Exit::Fine
}

/// One round: the first word that did not keep its value, what it holds and what it should.
fn test(block: &mut [u64], round: u32) -> Option<(usize, u64, u64)> {
    let stripes = |_: usize| 0xaaaa_aaaa_aaaa_aaaa_u64.rotate_left(round % 2);
    let address = |at: usize| at as u64;
    // A bijection of the position: the golden ratio spreads its bits.
    let mixed = move |at: usize| (at as u64 ^ u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let complement = move |at: usize| !mixed(at);
    let passes: [&dyn Fn(usize) -> u64; 4] = [&address, &mixed, &complement, &stripes];
    for pattern in passes {
        for (at, word) in block.iter_mut().enumerate() {
            *word = black_box(pattern(at));
        }
        for (at, word) in block.iter().enumerate() {
            let (found, wanted) = (black_box(*word), pattern(at));
            if found != wanted {
                return Some((at, found, wanted));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn sound_memory_passes() {
        let mut block = vec![0; 10_000];
        assert_eq!(super::test(&mut block, 1), None);
    }
}
