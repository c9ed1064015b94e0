//! LCS: the longest common subsequence of two strings.
//!
//! The textbook table: `cell(i, j)` is the length for the first `i` bytes of one and the first `j`
//! of the other, 4 bytes each. Walking back from the far corner yields the subsequence from its
//! end to its start, and the runs of bytes that lie side by side in both:
//!
//! ```text
//!   a = ohmytext       matches, from the end:  text  a[4..=7]  b[5..=8]
//!   b = mynewtext                              my    a[2..=3]  b[0..=1]
//! ```
//!
//! The table is transient memory that a client chooses the size of, so it is bounded by
//! `proto-max-bulk-len` and asked for, not taken.
//!
//! Two strings of ten thousand bytes take 0.3 s on the two-core machine (Redis 7.0.15: 0.3 s), and the
//! table's default bound lets it be 0.4 s. So a large table is filled after unlocking, over pinned
//! strings; the worker itself is busy that long.

use resp::Reply;
use store::Str;

use crate::args::{Words, integer, is};
use crate::call::{Call, LONG_BYTES_MIN};
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
pub const LCS: CommandSpec = CommandSpec {
    name: "lcs",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(1).to(1, 1)]),
    flags: Flags::READONLY,
    acl: Acl::READ.or(Acl::STRING).or(Acl::SLOW),
    group: Group::String,
    since: "7.0.0",
    summary: "Finds the longest common subsequence of two strings.",
    complexity: "O(N*M) for strings of N and M bytes",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    ..CommandSpec::row(lcs)
};

/// The options as they were said.
#[derive(Clone, Copy, Default)]
struct Said {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: u64,
}

impl Said {
    fn read(mut words: Words<'_>) -> Result<Said, CommandError> {
        let mut said = Said::default();
        while let Some(word) = words.next() {
            match word {
                word if is(word, "LEN") => said.len = true,
                word if is(word, "IDX") => said.idx = true,
                word if is(word, "WITHMATCHLEN") => said.with_match_len = true,
                word if is(word, "MINMATCHLEN") => {
                    said.min_match_len = integer(words.value()?)?.max(0).unsigned_abs();
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        if said.len && said.idx {
            let text = "ERR If you want both the length and indexes, please just use IDX.";
            return Err(CommandError::Fixed(text));
        }
        Ok(said)
    }

    /// Fills the table and says what was asked for.
    fn answer(
        self,
        a: Str<'_>,
        b: Str<'_>,
        bytes_max: u64,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let (mut a_room, mut b_room) = ([0; 20], [0; 20]);
        let table = Table::fill(a.bytes(&mut a_room), b.bytes(&mut b_room), bytes_max)?;
        if self.len {
            reply.int(i64::from(table.length()));
        } else if self.idx {
            self.say_matches(&table, reply);
        } else {
            reply.bulk(&table.subsequence());
        }
        Ok(())
    }

    fn say_matches(self, table: &Table<'_>, reply: &mut Reply) {
        reply.map(2);
        reply.bulk(b"matches");
        let place = reply.defer();
        let mut shown = 0;
        table.matches(|run| {
            if run.len() < self.min_match_len {
                return;
            }
            shown += 1;
            reply.array(2 + usize::from(self.with_match_len));
            for start in [run.a, run.b] {
                reply.array(2);
                reply.int(start as i64);
                reply.int((start + run.bytes - 1) as i64);
            }
            if self.with_match_len {
                reply.int(run.bytes as i64);
            }
        });
        reply.finish_array(place, shown);
        reply.bulk(b"len");
        reply.int(i64::from(table.length()));
    }
}

fn lcs(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let words = Words::from(call.args, 3);
    let (first, second) = (call.key(1), call.key(2));
    // Expiry, counters and clocks first; then both are looked at side by side.
    call.unit.read(first);
    call.unit.read(second);
    let text = "ERR The specified keys must contain string values";
    let not_strings = |_| CommandError::Fixed(text);
    let a = call
        .unit
        .look_string(first)
        .map_err(not_strings)?
        .unwrap_or(Str::Bytes(b""));
    let b = call
        .unit
        .look_string(second)
        .map_err(not_strings)?
        .unwrap_or(Str::Bytes(b""));
    // A key of another type is told before a wrong option is.
    let said = Said::read(words)?;
    let bytes_max = call.settings.string_bytes_max;
    if a.len().saturating_mul(b.len()) < LONG_BYTES_MIN {
        return said.answer(a, b, bytes_max, call.reply);
    }
    let (a, b) = (a.pin(), b.pin());
    call.later(move |reply| said.answer(a.as_str(), b.as_str(), bytes_max, reply))
}

/// Bytes that lie side by side in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where it begins in one string.
    a: usize,
    /// Where it begins in the other.
    b: usize,
    bytes: usize,
}

impl Run {
    fn len(self) -> u64 {
        self.bytes as u64
    }
}

/// The filled table, with the two strings.
struct Table<'s> {
    a: &'s [u8],
    b: &'s [u8],
    cells: Vec<u32>,
}

impl<'s> Table<'s> {
    fn fill(a: &'s [u8], b: &'s [u8], bytes_max: u64) -> Result<Table<'s>, CommandError> {
        let too_long = |s: &[u8]| s.len() >= u32::MAX as usize - 1;
        if too_long(a) || too_long(b) {
            return Err(CommandError::Fixed("ERR String too long for LCS"));
        }
        // Two factors below 2^32 each: neither this nor four times it leaves 128 bits.
        let bytes = (a.len() as u128 + 1) * (b.len() as u128 + 1) * size_of::<u32>() as u128;
        if bytes > u128::from(bytes_max) {
            return Err(CommandError::Fixed(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ));
        }
        let mut cells: Vec<u32> = Vec::new();
        let count = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
        cells.try_reserve_exact(count).map_err(|_| {
            CommandError::Fixed(
                "ERR Insufficient memory, failed allocating transient memory for LCS",
            )
        })?;
        cells.resize(count, 0);
        let width = b.len() + 1;
        for (i, &byte) in a.iter().enumerate() {
            let (done, rest) = cells.split_at_mut((i + 1) * width);
            let (above, row) = (&done[i * width..], &mut rest[..width]);
            // Without a branch on the bytes: a diagonal step without a match is never the longest.
            let mut left = 0;
            for ((cell, above), &other) in row[1..].iter_mut().zip(above.windows(2)).zip(b) {
                let diagonal = above[0] + u32::from(byte == other);
                left = diagonal.max(above[1]).max(left);
                *cell = left;
            }
        }
        Ok(Table { a, b, cells })
    }

    fn cell(&self, i: usize, j: usize) -> u32 {
        self.cells[i * (self.b.len() + 1) + j]
    }

    fn length(&self) -> u32 {
        self.cell(self.a.len(), self.b.len())
    }

    /// Shows each common byte as its two positions, from the end to the start.
    fn walk_back(&self, mut show: impl FnMut(usize, usize)) {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            if self.a[i - 1] == self.b[j - 1] {
                (i, j) = (i - 1, j - 1);
                show(i, j);
            } else if self.cell(i - 1, j) > self.cell(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length() as usize);
        self.walk_back(|i, _| bytes.push(self.a[i]));
        bytes.reverse();
        bytes
    }

    /// Shows the runs, from the end to the start.
    fn matches(&self, mut show: impl FnMut(Run)) {
        let mut run: Option<Run> = None;
        self.walk_back(|i, j| {
            run = match run {
                Some(run) if run.a == i + 1 && run.b == j + 1 => Some(Run {
                    a: i,
                    b: j,
                    bytes: run.bytes + 1,
                }),
                before => {
                    before.into_iter().for_each(&mut show);
                    Some(Run {
                        a: i,
                        b: j,
                        bytes: 1,
                    })
                }
            };
        });
        run.into_iter().for_each(show);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn check(a: &str, b: &str, text: &str, runs: &[(usize, usize, usize)]) {
        let table = Table::fill(a.as_bytes(), b.as_bytes(), 1 << 20).expect("small");
        assert_eq!(table.subsequence(), text.as_bytes(), "{a} {b}");
        assert_eq!(table.length() as usize, text.len());
        let mut found = Vec::new();
        table.matches(|run| found.push((run.a, run.b, run.bytes)));
        assert_eq!(found, runs, "{a} {b}");
    }

    #[test]
    fn subsequences_and_their_runs() {
        check("", "", "", &[]);
        check("abc", "", "", &[]);
        check("abc", "xyz", "", &[]);
        check("abc", "abc", "abc", &[(0, 0, 3)]);
        check("ohmytext", "mynewtext", "mytext", &[(4, 5, 4), (2, 0, 2)]);
        check("axbxc", "abc", "abc", &[(4, 2, 1), (2, 1, 1), (0, 0, 1)]);
    }

    #[test]
    fn the_table_is_bounded() {
        let long = [b'x'; 1000];
        assert!(Table::fill(&long, &long, 1001 * 1001 * 4).is_ok());
        assert!(Table::fill(&long, &long, 1001 * 1001 * 4 - 1).is_err());
    }

    #[test]
    fn replies() {
        let mut bench = Bench::new();
        bench.check("MSET a ohmytext b mynewtext", "+OK");
        bench.check("LCS a b", "$6 mytext");
        bench.check("LCS a b LEN", ":6");
        bench.check("LCS a none", "$0 ");
        bench.check(
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6",
        );
        bench.proto(resp::Proto::Resp3);
        bench.check("LCS a b IDX MINMATCHLEN 9", "%2 $7 matches *0 $3 len :6");
        bench.check("LCS a b BAD", "-ERR syntax error");
        // Long enough to be answered after unlocking: errors as well.
        bench.check("SETRANGE c 999 x", ":1000");
        bench.check("SETRANGE d 499 x", ":500");
        bench.check("LCS c d LEN", ":500");
        bench.check(
            "LCS c d IDX MINMATCHLEN 501",
            "%2 $7 matches *0 $3 len :500",
        );
        bench.settings.string_bytes_max = 1 << 20;
        bench.check(
            "LCS c d",
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        );
    }
}
