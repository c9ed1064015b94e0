//! The leftmost place of a part that has `?` or classes.
//!
//! The first places are tried one by one, which is all that a usual key needs. Then Shift-And (Baeza-Yates
//! and Gonnet 1992): bit `t` of the state says that the text up to here ends with what tokens `0..=t`
//! want, so one step along the text is a shift, and an AND with the tokens that accept the byte:
//!
//! ```text
//!   part  a ? b         row 'a'  1 1 0   (token 0 leftmost)      state after   a  a  x  b
//!                       row 'b'  0 1 1                           token 0       1  1  0  0
//!                       others   0 1 0                           token 1       0  1  1  0
//!                                                                token 2       0  0  0  1  found
//! ```
//!
//! Only the words of the state between the first and the last that is not zero are touched. So a text
//! that is unlike the part costs a step or two a byte however long the part is, and the search never
//! looks behind the place that it finds: parts found one after another share one walk over the text.
//!
//! F1  The answer is the leftmost place, or none because of an [`Effort`] that is used up.
//! F2  All that is done here is paid for, tries, rows and steps, each before it is done.
//!
//! Made to be slow (half a mebibyte of `a?` against a mebibyte of `ab`) the search would take some 2^32
//! steps. 2^24 and sixteen more a byte take some 40 ms on the two-core machine, and are enough for any pattern
//! on a text of up to 32 KiB, and for parts of up to a thousand tokens on any.
//!
//! Checked by: the tests of `mod.rs`, fuzz/glob.

use super::{Part, Pattern, Token};

/// What is left to be spent on one text, in steps: a word of state, or a token tried at a place.
pub(super) struct Effort {
    left: usize,
}

impl Effort {
    /// What a text of so many bytes may cost.
    pub(super) fn of(text_bytes: usize) -> Effort {
        const STEPS: usize = 1 << 24;
        const STEPS_PER_BYTE: usize = 16;
        let more = text_bytes.saturating_mul(STEPS_PER_BYTE);
        Effort {
            left: STEPS.saturating_add(more),
        }
    }

    /// Pays for `steps`; `None` if that is too much.
    #[inline]
    fn pay(&mut self, steps: usize) -> Option<()> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ())
    }
}

/// Steps for trying places one by one, before rows are built.
const TRY_STEPS_MAX: usize = 1024;

/// The longest part for which rows are built: they take 32 bytes a token. Places of a longer one are
/// tried one by one.
const ROWS_TOKENS_MAX: usize = 1 << 20;

impl Pattern {
    /// The leftmost place of the part in the text.
    pub(super) fn find(&self, part: Part, text: &[u8], effort: &mut Effort) -> Option<usize> {
        let tokens = &self.tokens[part.from..part.to];
        // Bytes that may be anything at the beginning only move the place.
        let skipped = tokens.iter().take_while(|t| **t == Token::Any).count();
        let (rest, tokens) = (text.get(skipped..)?, &tokens[skipped..]);
        let places = (rest.len() + 1).checked_sub(tokens.len())?;
        if tokens.iter().all(|token| matches!(token, Token::Byte(_))) {
            return memchr::memmem::find(rest, &self.bytes[part.from + skipped..part.to]);
        }
        let mut tries = if tokens.len() > ROWS_TOKENS_MAX {
            usize::MAX
        } else {
            TRY_STEPS_MAX
        };
        for at in 0..places {
            let differs = tokens
                .iter()
                .zip(&rest[at..])
                .position(|(token, byte)| !self.accepts(*token, *byte));
            let Some(steps) = differs else {
                return Some(at);
            };
            effort.pay(steps + 1)?;
            tries = tries.saturating_sub(steps + 1);
            if tries == 0 {
                let from = at + 1;
                let found = self.shift_and(tokens, &rest[from..], effort)?;
                return Some(from + found);
            }
        }
        None
    }

    /// [`Pattern::find`] by whole words.
    pub(super) fn shift_and(
        &self,
        tokens: &[Token],
        text: &[u8],
        effort: &mut Effort,
    ) -> Option<usize> {
        let places = (text.len() + 1).checked_sub(tokens.len())?;
        let rows = self.rows(tokens, effort)?;
        let words = tokens.len().div_ceil(64);
        let (last_word, last_bit) = ((tokens.len() - 1) / 64, (tokens.len() - 1) % 64);
        let mut state = vec![0_u64; words];
        // What is outside of `low..=high` is zero.
        let (mut low, mut high) = (0, 0);
        for (at, &byte) in text.iter().enumerate() {
            effort.pay(high - low + 1)?;
            let row = &rows[usize::from(byte) * words..][..words];
            let begins = at < places;
            let mut carry = u64::from(begins);
            for (word, accepts) in state[low..=high].iter_mut().zip(&row[low..=high]) {
                let shifted = *word << 1 | carry;
                carry = *word >> 63;
                *word = shifted & accepts;
            }
            if carry != 0 && high < last_word {
                high += 1;
                state[high] = carry & row[high];
            }
            if state[last_word] >> last_bit & 1 == 1 {
                return Some(at + 1 - tokens.len());
            }
            while high > low && state[high] == 0 {
                high -= 1;
            }
            if !begins {
                while low < high && state[low] == 0 {
                    low += 1;
                }
                if state[high] == 0 {
                    return None;
                }
            }
        }
        None
    }

    /// For each byte the tokens that accept it, a bit each, a row of whole words after another.
    fn rows(&self, tokens: &[Token], effort: &mut Effort) -> Option<Vec<u64>> {
        let words = tokens.len().div_ceil(64);
        effort.pay(256 * words + tokens.len())?;
        let mut rows: Vec<u64> = Vec::new();
        // 32 MiB at most; if the system has not even that, nothing is found.
        rows.try_reserve_exact(256 * words).ok()?;
        // A row for what most bytes are to each token; what is different for some is turned over.
        let is_usual = |token: &Token| match token {
            Token::Byte(_) => false,
            Token::Any => true,
            Token::Class(number) => {
                let class = &self.classes[*number as usize];
                class.iter().map(|word| word.count_ones()).sum::<u32>() > 128
            }
        };
        rows.extend(tokens.chunks(64).map(|chunk| {
            let bits = chunk.iter().rev();
            bits.fold(0, |word, token| word << 1 | u64::from(is_usual(token)))
        }));
        for _ in 1..256 {
            rows.extend_from_within(..words);
        }
        for (index, token) in tokens.iter().enumerate() {
            let mut turn = |byte: usize| rows[byte * words + index / 64] ^= 1 << (index % 64);
            match token {
                Token::Any => {}
                Token::Byte(byte) => turn(usize::from(*byte)),
                Token::Class(number) => {
                    let class = &self.classes[*number as usize];
                    let usual = is_usual(token);
                    for (quarter, bits) in class.iter().enumerate() {
                        let mut unusual = if usual { !bits } else { *bits };
                        effort.pay(unusual.count_ones() as usize)?;
                        while unusual != 0 {
                            turn(quarter * 64 + unusual.trailing_zeros() as usize);
                            unusual &= unusual - 1;
                        }
                    }
                }
            }
        }
        Some(rows)
    }
}
