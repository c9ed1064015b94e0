//! The members of a sorted set by name: a copy-on-write hash table of bundles.
//!
//! ```text
//!  Members ─ chunks ─> [count: bundle, bundle, ..]     up to 256 each, counted
//!                          └─> [count: page]            some 48 members, with their scores
//! ```
//!
//! **Linear hashing over bundles**, as in `table`: with N bundles and 2^L <= N < 2^(L+1), a label
//! belongs to bundle `label mod 2^(L+1)`, or to `label mod 2^L` if there is no such bundle yet; one
//! bundle splits at a time. Unlike there, members lie in the bundle itself and are copied with it:
//! some 1.5 KB. So there are no elements to hand over between snapshots, and no unsafe code.
//!
//! **Labels.** A member is known to the tree of scores by a number of 32 bits: the low 26 bits of
//! its hash, and 6 bits that tell members of equal 26 bits apart, given out as they come. The low
//! bits choose the bundle, so a label is all that it takes to find the member, and it does not
//! change while the member is there. At 10^9 members 15 share their 26 bits on average, and 64 at
//! once are as good as impossible; `insert` refuses the 65th.
//!
//! M1  Bundle i is `chunks[i / 256][i % 256]`; all chunks but the last are full; none is empty.
//! M2  Each record is in the bundle that its label names; no label is there twice, and its low 26
//!     bits are the member's hash's.
//! M3  `len` and `bytes` are the sums over the bundles.
//!
//! Checked by: `Members::check` in `tests/sorted_model.rs`.

use super::MemberHash;
use super::bundle::{Bundle, Member};
use crate::Refused;
use crate::table::classes::class_size;
use crate::tree::{ARC_HEADER, Copies};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Members a bundle on average: larger ones cost more to search, to shift and to copy, smaller
/// ones more header.
const TARGET: usize = 48;
const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;

const HASH_BITS: u32 = 26;
const HASH_MASK: u32 = (1 << HASH_BITS) - 1;
const SERIALS: u32 = 1 << (u32::BITS - HASH_BITS);
/// Bundles beyond which no more are made and bundles grow instead: at three thousand million.
const MOST: usize = 1 << HASH_BITS;

/// What stands for a member in the tree of scores.
pub(super) type Label = u32;

type Chunk = Vec<Bundle>;

/// Members by name and by label.
#[derive(Clone, Default)]
pub(super) struct Members {
    chunks: Vec<Arc<Chunk>>,
    bundles: usize,
    /// 2^(L+1) - 1.
    mask: u32,
    len: u64,
    bytes: usize,
    copies: Copies,
}

fn locate(index: usize) -> (usize, usize) {
    (index >> CHUNK_BITS, index & (CHUNK - 1))
}

impl Members {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn copies(&self) -> Copies {
        self.copies
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let chunk =
            class_size(ARC_HEADER + size_of::<Chunk>()) + class_size(CHUNK * size_of::<Bundle>());
        let last = self.chunks.last().map_or(0, |last| last.capacity());
        let last = class_size(last * size_of::<Bundle>());
        let full = chunk * self.chunks.len().saturating_sub(1);
        self.bytes + full + last + class_size(self.chunks.capacity() * size_of::<usize>())
    }

    /// The bundle that a label, or a hash, belongs to (M2). There is at least one.
    #[inline]
    fn index(&self, label: u32) -> usize {
        let long = (label & self.mask) as usize;
        if long < self.bundles {
            long
        } else {
            long & (self.mask >> 1) as usize
        }
    }

    #[inline]
    fn bundle_at(&self, index: usize) -> &Bundle {
        let (chunk, slot) = locate(index);
        &self.chunks[chunk][slot]
    }

    /// Leads `change` to a bundle that is ours to change.
    fn edit<T>(&mut self, index: usize, change: impl FnOnce(&mut Bundle) -> T) -> T {
        let (chunk, slot) = locate(index);
        let bundle = &mut own(&mut self.chunks[chunk], &mut self.copies)[slot];
        if bundle.is_shared() {
            self.copies.nodes += 1;
            self.copies.bytes += bundle.heap_bytes() as u64;
        }
        let before = bundle.heap_bytes();
        let result = change(bundle);
        self.bytes = self.bytes - before + bundle.heap_bytes();
        result
    }

    /// The label and the score of a member.
    #[inline]
    pub(super) fn find(&self, hash: u32, member: &[u8]) -> Option<(Label, f64)> {
        if self.bundles == 0 {
            return None;
        }
        let low = hash & HASH_MASK;
        let bundle = self.bundle_at(self.index(low));
        let slot = bundle.find(low, HASH_MASK, |slot| bundle.member(slot) == member)?;
        Some((bundle.label(slot), bundle.score(slot)))
    }

    /// The member of a label that is in use.
    #[inline]
    pub(super) fn member(&self, label: Label) -> &[u8] {
        let bundle = self.bundle_at(self.index(label));
        bundle.member(slot_of(bundle, label))
    }

    /// Adds a member that is not there.
    pub(super) fn insert(
        &mut self,
        hash: u32,
        member: Member<'_>,
        score: f64,
    ) -> Result<Label, Refused> {
        if self.bundles == 0 {
            self.push_bundle(Bundle::with_capacity(0));
        }
        let low = hash & HASH_MASK;
        let index = self.index(low);
        let bundle = self.bundle_at(index);
        let mut taken = 0_u64;
        bundle.find(low, HASH_MASK, |slot| {
            taken |= 1 << (bundle.label(slot) >> HASH_BITS);
            false
        });
        let serial = taken.trailing_ones();
        if serial == SERIALS {
            return Err(Refused::Size);
        }
        let label = low | serial << HASH_BITS;
        self.edit(index, |bundle| bundle.push(label, score, member));
        self.len += 1;
        if self.len > (self.bundles * TARGET) as u64 && self.bundles < MOST {
            self.split_next();
        }
        Ok(label)
    }

    /// Gives the member of a label another score.
    pub(super) fn set_score(&mut self, label: Label, score: f64) {
        self.edit(self.index(label), |bundle| {
            bundle.set_score(slot_of(bundle, label), score);
        });
    }

    /// Takes the member of a label out.
    pub(super) fn remove(&mut self, label: Label) {
        self.edit(self.index(label), |bundle| {
            bundle.remove(slot_of(bundle, label));
        });
        self.len -= 1;
        if self.bundles > 1 && self.len < (self.bundles * TARGET / 2) as u64 {
            self.merge_last();
        }
    }

    /// Visits members from a position on, those of equal positions together, until `visit` says
    /// stop. Returns the position to go on at, which is above 0 and below 2^26; `None` at the end.
    ///
    /// A position is the hash's low bits reversed: a bundle holds one range of them, which a split
    /// cuts and a merge extends. So whoever is there all the time is met, whatever happens between.
    pub(super) fn scan(
        &self,
        position: u64,
        mut visit: impl FnMut(&[u8], f64) -> ControlFlow<()>,
    ) -> Option<u64> {
        if self.bundles == 0 {
            return None;
        }
        let mut at = u32::try_from(position).ok().filter(|at| *at <= HASH_MASK)?;
        loop {
            let index = self.index(reversed(at));
            let bundle = self.bundle_at(index);
            let mut slots: Vec<(u32, usize)> = (0..bundle.len())
                .map(|slot| (reversed(bundle.label(slot) & HASH_MASK), slot))
                .filter(|(place, _)| *place >= at)
                .collect();
            slots.sort_unstable();
            let mut stop = None;
            for (place, slot) in slots {
                if stop.is_some_and(|last| last != place) {
                    return Some(u64::from(place));
                }
                if visit(bundle.member(slot), bundle.score(slot)).is_break() {
                    stop = Some(place);
                }
            }
            // The bundle's range: positions that agree in the bits that chose it.
            let half = 1 << self.bundles.ilog2();
            let long = index >= half || index < self.bundles - half;
            let bits = self.bundles.ilog2() + u32::from(long);
            let width = 1_u64 << (HASH_BITS - bits);
            let next = (u64::from(at) / width + 1) * width;
            if next > u64::from(HASH_MASK) {
                return None;
            }
            at = u32::try_from(next).expect("below 2^26");
            if stop.is_some() {
                return Some(next);
            }
        }
    }

    /// Splits the bundle whose turn it is.
    fn split_next(&mut self) {
        let new = self.bundles;
        let mask = self.mask;
        let goes = |label: u32| (label & mask) as usize == new;
        let old = Self::partner(new);
        let (stay, go) = self.bundle_at(old).part(goes);
        self.edit(old, |bundle| *bundle = stay);
        self.push_bundle(go);
    }

    /// Puts the last bundle's members back to where they came from.
    fn merge_last(&mut self) {
        let last = self.pop_bundle();
        let partner = Self::partner(self.bundles);
        self.edit(partner, |bundle| bundle.join(&last));
    }

    /// The bundle that bundle `index`, which is the one behind the last, splits off from.
    fn partner(index: usize) -> usize {
        index - (1 << index.ilog2())
    }

    fn set_bundles(&mut self, bundles: usize) {
        self.bundles = bundles;
        // Wraps at no size: `MOST` is 2^26.
        self.mask = if bundles == 0 {
            0
        } else {
            (2 << bundles.ilog2()) - 1
        };
    }

    fn push_bundle(&mut self, bundle: Bundle) {
        self.bytes += bundle.heap_bytes();
        let (chunk, _) = locate(self.bundles);
        if chunk == self.chunks.len() {
            self.chunks.push(Arc::default());
        }
        own(&mut self.chunks[chunk], &mut self.copies).push(bundle);
        self.set_bundles(self.bundles + 1);
    }

    fn pop_bundle(&mut self) -> Bundle {
        let (chunk, _) = locate(self.bundles - 1);
        let last = own(&mut self.chunks[chunk], &mut self.copies).pop();
        let last = last.expect("M1: no chunk is empty");
        if self.chunks[chunk].is_empty() {
            self.chunks.pop();
        }
        self.bytes -= last.heap_bytes();
        self.set_bundles(self.bundles - 1);
        last
    }

    /// Frees about `bundles` bundles. What somebody else holds is let go of at once. Returns whether
    /// there is more. Afterwards the members are good for nothing but this.
    pub(super) fn free_some(&mut self, bundles: usize) -> bool {
        let mut freed = 0;
        while freed < bundles {
            let Some(chunk) = self.chunks.pop() else {
                return false;
            };
            if let Some(mut chunk) = Arc::into_inner(chunk) {
                let keep = chunk.len().saturating_sub(bundles - freed);
                freed += chunk.len() - keep;
                chunk.truncate(keep);
                if keep > 0 {
                    self.chunks.push(Arc::new(chunk));
                }
            }
        }
        !self.chunks.is_empty()
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check(&self, hash: impl MemberHash) {
        let (mut index, mut len, mut bytes) = (0, 0, 0);
        for (c, chunk) in self.chunks.iter().enumerate() {
            let last = c + 1 == self.chunks.len();
            assert!(chunk.len() == CHUNK || last && !chunk.is_empty(), "M1");
            for bundle in chunk.iter() {
                bundle.check();
                let mut labels: Vec<u32> = (0..bundle.len()).map(|s| bundle.label(s)).collect();
                for (slot, label) in labels.iter().enumerate() {
                    assert_eq!(self.index(*label), index, "M2");
                    let low = hash.hash(bundle.member(slot)) as u32 & HASH_MASK;
                    assert_eq!(label & HASH_MASK, low, "M2");
                }
                labels.sort_unstable();
                assert!(labels.is_sorted_by(|a, b| a < b), "M2");
                len += bundle.len() as u64;
                bytes += bundle.heap_bytes();
                index += 1;
            }
        }
        assert_eq!(
            (index, len, bytes),
            (self.bundles, self.len, self.bytes),
            "M1, M3"
        );
    }
}

/// The slot of a label that is in use.
#[inline]
fn slot_of(bundle: &Bundle, label: Label) -> usize {
    let slot = bundle.find(label, u32::MAX, |_| true);
    slot.expect("the tree has labels of members that are there")
}

/// The low bits of a hash, as positions count them, and back.
fn reversed(low: u32) -> u32 {
    low.reverse_bits() >> (u32::BITS - HASH_BITS)
}

/// A chunk, made our own: its bundles get one count more each.
fn own<'a>(chunk: &'a mut Arc<Chunk>, copies: &mut Copies) -> &'a mut Chunk {
    // Only the figures depend on this look: `make_mut` looks again. There are no weak counts.
    if Arc::strong_count(chunk) != 1 {
        copies.nodes += 1;
        copies.bytes += (chunk.len() * size_of::<Bundle>()) as u64;
    }
    Arc::make_mut(chunk)
}
