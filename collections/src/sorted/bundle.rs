//! A bundle: some dozens of members of a sorted set with their scores, in no order.
//!
//! ```text
//!  bytes:  [label u32] * n  [score f64] * n  [end u16] * n  [member bytes ..]      little-endian
//!  long:   members of more than INLINE bytes, in order of their slots, each behind a count
//! ```
//!
//! `end` says where a member's bytes end, counted from where members begin; they begin where the
//! one before ends. A long member has no bytes there and the mark LONG in its `end`; it is the k-th
//! of `long` if k long ones come before it. A member of 16 bytes costs 30 and the bundle's slack.
//!
//! B1  `bytes` has 14 n bytes and those of the inline members; ends do not go back.
//! B2  `long` has one member for each mark.
//!
//! Checked by: `SortedSet::check` in `tests/sorted_model.rs`.

use super::buffer::Buffer;
use crate::Refused;
use crate::table::classes::class_size;
use crate::tree::ARC_HEADER;
use std::ops::Range;
use std::sync::Arc;

/// The longest member that lies in the bundle itself.
const INLINE: usize = 96;
/// Inline bytes above which further members go behind a count, so that ends stay below the mark.
const INLINE_TOTAL: usize = 32_000;

const LABEL: usize = size_of::<u32>();
const SCORE: usize = size_of::<f64>();
const END: usize = size_of::<u16>();
/// Bytes that a record costs beside its member.
const FIXED: usize = LABEL + SCORE + END;
const LONG: u16 = 0x8000;

const _: () = assert!(FIXED == 14);
const _: () = assert!(INLINE_TOTAL + INLINE < LONG as usize);

/// Labels compared in one go; the compiler makes vector instructions of it.
const STEP: usize = 16;

/// A member on its way into a bundle.
pub(super) enum Member<'a> {
    Inline(&'a [u8]),
    Long(Arc<Vec<u8>>),
}

/// Some members with labels and scores.
#[derive(Clone)]
pub(super) struct Bundle {
    bytes: Buffer,
    len: u32,
    long: Option<Arc<Vec<Arc<Vec<u8>>>>>,
}

impl<'a> Member<'a> {
    /// The member, in an allocation of its own if it is long. The one step that a client sizes.
    pub(super) fn new(member: &'a [u8]) -> Result<Self, Refused> {
        if member.len() <= INLINE {
            return Ok(Self::Inline(member));
        }
        Self::alone(member)
    }

    fn alone(member: &[u8]) -> Result<Self, Refused> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(member.len())
            .map_err(|_| Refused::Memory)?;
        bytes.extend_from_slice(member);
        Ok(Self::Long(Arc::new(bytes)))
    }
}

impl Bundle {
    /// An empty bundle with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let bytes = Buffer::with_capacity(bytes);
        Self {
            bytes,
            len: 0,
            long: None,
        }
    }

    /// Whether a change copies the bundle's bytes.
    pub(super) fn is_shared(&self) -> bool {
        self.bytes.is_shared()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The slots whose label, as far as `mask` reaches, is `label`.
    #[inline]
    pub(super) fn find(
        &self,
        label: u32,
        mask: u32,
        mut is: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let labels = &self.bytes[..self.len() * LABEL];
        for (base, block) in labels.chunks(STEP * LABEL).enumerate() {
            let mut found = 0_u32;
            for (i, bytes) in block.chunks_exact(LABEL).enumerate() {
                let one = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                found |= u32::from(one & mask == label) << i;
            }
            while found != 0 {
                let slot = base * STEP + found.trailing_zeros() as usize;
                if is(slot) {
                    return Some(slot);
                }
                found &= found - 1;
            }
        }
        None
    }

    #[inline]
    pub(super) fn label(&self, slot: usize) -> u32 {
        let from = slot * LABEL;
        let bytes = self.bytes[from..from + LABEL].try_into();
        u32::from_le_bytes(bytes.expect("a slice of that length"))
    }

    fn score_at(&self, slot: usize) -> Range<usize> {
        let from = self.len() * LABEL + slot * SCORE;
        from..from + SCORE
    }

    #[inline]
    pub(super) fn score(&self, slot: usize) -> f64 {
        let bytes = self.bytes[self.score_at(slot)].try_into();
        f64::from_le_bytes(bytes.expect("a slice of that length"))
    }

    pub(super) fn set_score(&mut self, slot: usize, score: f64) {
        let place = self.score_at(slot);
        self.bytes.make_mut()[place].copy_from_slice(&score.to_le_bytes());
    }

    fn word_at(&self, slot: usize) -> Range<usize> {
        let from = self.len() * (LABEL + SCORE) + slot * END;
        from..from + END
    }

    #[inline]
    fn word(&self, slot: usize) -> u16 {
        let bytes = self.bytes[self.word_at(slot)].try_into();
        u16::from_le_bytes(bytes.expect("a slice of that length"))
    }

    #[inline]
    fn end(&self, slot: usize) -> usize {
        usize::from(self.word(slot) & !LONG)
    }

    #[inline]
    fn start(&self, slot: usize) -> usize {
        if slot == 0 { 0 } else { self.end(slot - 1) }
    }

    #[inline]
    pub(super) fn member(&self, slot: usize) -> &[u8] {
        if self.word(slot) & LONG != 0 {
            return self.long_member(slot);
        }
        let base = self.len() * FIXED;
        &self.bytes[base + self.start(slot)..base + self.end(slot)]
    }

    #[cold]
    fn long_member(&self, slot: usize) -> &[u8] {
        &self.long.as_deref().expect("B2")[self.long_before(slot)]
    }

    /// The number of long members before `slot`.
    fn long_before(&self, slot: usize) -> usize {
        (0..slot).filter(|i| self.word(*i) & LONG != 0).count()
    }

    fn inline_total(&self) -> usize {
        self.bytes.len() - self.len() * FIXED
    }

    /// Adds a record behind the others.
    pub(super) fn push(&mut self, label: u32, score: f64, member: Member<'_>) {
        let member = match member {
            Member::Inline(bytes) if self.inline_total() > INLINE_TOTAL => {
                Member::Long(Arc::new(bytes.to_vec()))
            }
            member => member,
        };
        let (inline, long): (&[u8], _) = match member {
            Member::Inline(bytes) => (bytes, None),
            Member::Long(member) => (&[], Some(member)),
        };
        let (n, old) = (self.len(), self.bytes.len());
        let total = self.inline_total();
        self.bytes.resize(old + FIXED + inline.len());
        let bytes = self.bytes.make_mut();
        // From the back, each part makes room for one more of those before it.
        let (scores, ends, members) = (n * LABEL, n * (LABEL + SCORE), n * FIXED);
        bytes.copy_within(members..old, members + FIXED);
        bytes.copy_within(ends..members, ends + LABEL + SCORE);
        bytes.copy_within(scores..ends, scores + LABEL);
        bytes[old + FIXED..].copy_from_slice(inline);
        let end = u16::try_from(total + inline.len()).expect("INLINE_TOTAL and INLINE");
        let mark = if long.is_some() { LONG } else { 0 };
        bytes[scores..][..LABEL].copy_from_slice(&label.to_le_bytes());
        bytes[ends + LABEL..][..SCORE].copy_from_slice(&score.to_le_bytes());
        bytes[members + LABEL + SCORE..][..END].copy_from_slice(&(end | mark).to_le_bytes());
        self.len += 1;
        if let Some(member) = long {
            Arc::make_mut(self.long.get_or_insert_default()).push(member);
        }
    }

    /// Takes a record out; those behind it move up.
    pub(super) fn remove(&mut self, slot: usize) {
        if self.word(slot) & LONG != 0 {
            let k = self.long_before(slot);
            let all = Arc::make_mut(self.long.as_mut().expect("B2"));
            all.remove(k);
            if all.is_empty() {
                self.long = None;
            }
        }
        let (start, end) = (self.start(slot), self.end(slot));
        let gone = u16::try_from(end - start).expect("at most INLINE");
        let (n, old) = (self.len(), self.bytes.len());
        let (scores, ends, members) = (n * LABEL, n * (LABEL + SCORE), n * FIXED);
        let bytes = self.bytes.make_mut();
        for word in bytes[ends + (slot + 1) * END..members].chunks_exact_mut(END) {
            let end = u16::from_le_bytes([word[0], word[1]]) - gone;
            word.copy_from_slice(&end.to_le_bytes());
        }
        // What stays, part by part from the front, moves to where it belongs.
        let cuts = [
            (slot * LABEL, LABEL),
            (scores + slot * SCORE, SCORE),
            (ends + slot * END, END),
            (members + start, end - start),
        ];
        let mut to = cuts[0].0;
        for (i, (at, len)) in cuts.iter().enumerate() {
            let from = at + len;
            let until = cuts.get(i + 1).map_or(old, |next| next.0);
            bytes.copy_within(from..until, to);
            to += until - from;
        }
        self.bytes.resize(to);
        self.bytes.tighten();
        self.len -= 1;
    }

    /// Distributes the records to two bundles: those for which `goes` says so to the second.
    pub(super) fn part(&self, goes: impl Fn(u32) -> bool) -> (Self, Self) {
        let (mut stay, mut go) = (0, 0);
        for slot in 0..self.len() {
            let bytes = FIXED + self.end(slot) - self.start(slot);
            let side = if goes(self.label(slot)) {
                &mut go
            } else {
                &mut stay
            };
            *side += bytes;
        }
        let mut both = (Self::with_capacity(stay), Self::with_capacity(go));
        for slot in 0..self.len() {
            let label = self.label(slot);
            let to = if goes(label) {
                &mut both.1
            } else {
                &mut both.0
            };
            to.push(label, self.score(slot), self.lend(slot));
        }
        both
    }

    /// Adds copies of another bundle's records.
    pub(super) fn join(&mut self, other: &Self) {
        for slot in 0..other.len() {
            self.push(other.label(slot), other.score(slot), other.lend(slot));
        }
    }

    /// The member, for another bundle.
    fn lend(&self, slot: usize) -> Member<'_> {
        if self.word(slot) & LONG == 0 {
            return Member::Inline(self.member(slot));
        }
        let long = self.long.as_deref().expect("B2");
        Member::Long(Arc::clone(&long[self.long_before(slot)]))
    }

    /// Bytes on the heap, long members included.
    pub(super) fn heap_bytes(&self) -> usize {
        let long = self.long.as_deref().map_or(0, |long| {
            let head = class_size(ARC_HEADER + size_of::<Vec<u8>>());
            let each = |member: &Arc<Vec<u8>>| head + class_size(member.capacity());
            class_size(ARC_HEADER + size_of::<Vec<Arc<Vec<u8>>>>())
                + class_size(long.capacity() * size_of::<Arc<Vec<u8>>>())
                + long.iter().map(each).sum::<usize>()
        });
        self.bytes.heap_bytes() + long
    }

    /// Panics if an invariant does not hold.
    pub(super) fn check(&self) {
        let n = self.len();
        assert!((0..n).all(|slot| self.start(slot) <= self.end(slot)), "B1");
        let inline = if n == 0 { 0 } else { self.end(n - 1) };
        assert_eq!(self.bytes.len(), n * FIXED + inline, "B1");
        let long = self.long.as_deref().map_or(0, Vec::len);
        assert_eq!(self.long_before(n), long, "B2");
    }
}
