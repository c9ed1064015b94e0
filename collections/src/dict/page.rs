//! A page: the slots and records of one bucket in one counted allocation.
//!
//! ```text
//!   0        4                4·count                  len-off[last]      len-off[0]      len
//!  +--------+--------+--------+------------------------+-----------------+---------------+
//!  | slot 0 | slot 1 |  ..    |          free          | record last  .. |   record 0    |
//!  +--------+--------+--------+------------------------+-----------------+---------------+
//!   slot = tag (12) | offset (20), little-endian; offset = distance of a record's first byte
//!   from the page's end, so a page that grows moves its records and keeps its slots
//! ```
//!
//! P1  Offsets rise from slot to slot, and record `i` fills the bytes between the offset of slot
//!     `i - 1` (0 for the first) and its own: there are no gaps, and no lengths are kept.
//! P2  Slots and records do not overlap: `4·count + offset of the last <= len`.
//! P3  A page fills a block of the arena, the smallest that holds it, or after removals a quarter
//!     more at most.
//!
//! How many slots there are is the bucket's knowledge. Checked by: tests below, `tests/dict_model.rs`,
//! bytes an element by `tests/dict_memory.rs`.

use super::hash::TAG_BITS;
use crate::Refused;
use crate::shared::Shared;
use std::ops::Range;

/// Bytes of a slot.
pub(super) const SLOT: usize = 4;
const OFFSET_BITS: u32 = 32 - TAG_BITS;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
/// The longest page. An honest hash never comes near it: see `dict.md`.
const PAGE_MAX: usize = 1 << OFFSET_BITS;
/// Slots compared at a time.
const BLOCK: usize = 8;

/// The slots and records of a bucket.
pub(super) type Page = Shared;

/// A page for a bucket that may get an element.
pub(super) fn empty() -> Page {
    Shared::zeroed(Shared::fitting(0))
}

#[inline]
fn slot(page: &[u8], i: usize) -> u32 {
    let bytes = page[i * SLOT..][..SLOT].try_into();
    u32::from_le_bytes(bytes.expect("a slot is four bytes"))
}

fn set_slot(page: &mut [u8], i: usize, slot: u32) {
    page[i * SLOT..][..SLOT].copy_from_slice(&slot.to_le_bytes());
}

#[inline]
fn offset(page: &[u8], i: usize) -> usize {
    (slot(page, i) & OFFSET_MASK) as usize
}

/// The tag of slot `i`.
#[inline]
pub(super) fn tag(page: &[u8], i: usize) -> u32 {
    slot(page, i) >> OFFSET_BITS
}

/// Bytes that the records take.
#[inline]
pub(super) fn tail(page: &[u8], count: usize) -> usize {
    count.checked_sub(1).map_or(0, |last| offset(page, last))
}

/// Where record `i` lies (P1).
#[inline]
pub(super) fn record(page: &[u8], i: usize) -> Range<usize> {
    let end = i.checked_sub(1).map_or(0, |before| offset(page, before));
    page.len() - offset(page, i)..page.len() - end
}

/// The first slot with this tag for which `is` holds.
#[inline]
pub(super) fn find(
    page: &[u8],
    count: usize,
    tag: u32,
    mut is: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let slots = &page[..count * SLOT];
    let blocks = slots.chunks_exact(BLOCK * SLOT);
    let rest = blocks.remainder();
    let mut first = 0;
    for block in blocks {
        // Written so that the compiler compares a block in a few vector operations.
        let mut hits = 0_u32;
        for (i, slot) in block.as_chunks::<SLOT>().0.iter().enumerate() {
            hits |= u32::from(u32::from_le_bytes(*slot) >> OFFSET_BITS == tag) << i;
        }
        while hits != 0 {
            let i = first + hits.trailing_zeros() as usize;
            if is(i) {
                return Some(i);
            }
            hits &= hits - 1;
        }
        first += BLOCK;
    }
    for (i, slot) in rest.as_chunks::<SLOT>().0.iter().enumerate() {
        if u32::from_le_bytes(*slot) >> OFFSET_BITS == tag && is(first + i) {
            return Some(first + i);
        }
    }
    None
}

/// Whether a page may hold `used` bytes of slots and records.
pub(super) fn fits(used: usize) -> bool {
    used <= PAGE_MAX
}

/// Makes room for `records` more records of `bytes` together.
#[inline]
pub(super) fn reserve(
    page: &mut Page,
    count: usize,
    records: usize,
    bytes: usize,
) -> Result<(), Refused> {
    let used = (count + records) * SLOT + tail(page, count) + bytes;
    if !fits(used) {
        return Err(Refused::Size);
    }
    if used > page.len() {
        resize(page, count, Shared::fitting(used));
    }
    Ok(())
}

/// Gives back what a page has become too long by, if that is worth a copy (P3).
pub(super) fn shrink(page: &mut Page, count: usize) {
    let used = count * SLOT + tail(page, count);
    if Shared::fitting(used + used / 4) < page.len() {
        resize(page, count, Shared::fitting(used));
    }
}

fn resize(page: &mut Page, count: usize, len: usize) {
    let (slots, tail) = (count * SLOT, tail(page, count));
    let mut new = Shared::zeroed(len);
    let bytes = new.make_mut();
    bytes[..slots].copy_from_slice(&page[..slots]);
    bytes[len - tail..].copy_from_slice(&page[page.len() - tail..]);
    *page = new;
}

/// Appends a record of `len` bytes as slot `count`, for which `reserve` made room, and returns
/// it to be filled.
#[inline]
pub(super) fn append(page: &mut Page, count: usize, tag: u32, len: usize) -> &mut [u8] {
    let page = page.make_mut();
    let offset = tail(page, count) + len;
    let bits = u32::try_from(offset).expect("reserve keeps pages below their maximum");
    debug_assert!(
        bits <= OFFSET_MASK && offset + (count + 1) * SLOT <= page.len(),
        "P2"
    );
    set_slot(page, count, tag << OFFSET_BITS | bits);
    let start = page.len() - offset;
    &mut page[start..][..len]
}

/// Removes record `i` of `count` and closes the gap.
pub(super) fn remove(page: &mut Page, count: usize, i: usize) {
    let page = page.make_mut();
    let gone = record(page, i);
    let first = page.len() - tail(page, count);
    page.copy_within(first..gone.start, first + gone.len());
    let less = u32::try_from(gone.len()).expect("a record is shorter than its page");
    // Offsets are the low bits and none becomes negative (P1), so tags stay as they are.
    for later in i + 1..count {
        let moved = slot(page, later) - less;
        set_slot(page, later - 1, moved);
    }
}

/// Asserts P1 and P2; for tests.
pub(super) fn check(page: &[u8], count: usize) {
    let offsets = (0..count).map(|i| offset(page, i));
    assert!(offsets.is_sorted_by(|a, b| a < b), "P1");
    assert!(count * SLOT + tail(page, count) <= page.len(), "P2");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(page: &mut Page, count: &mut usize, tag: u32, bytes: &[u8]) {
        reserve(page, *count, 1, bytes.len()).expect("small");
        append(page, *count, tag, bytes.len()).copy_from_slice(bytes);
        *count += 1;
    }

    #[test]
    fn records_come_back_and_gaps_close() {
        let (mut page, mut count) = (empty(), 0);
        let all: Vec<Vec<u8>> = (0..40_u8).map(|i| vec![i; usize::from(i)]).collect();
        for (i, bytes) in all.iter().enumerate() {
            push(&mut page, &mut count, i as u32 % 5, bytes);
        }
        let kept: Vec<_> = all.iter().filter(|r| r.len() % 3 != 0).cloned().collect();
        for i in (0..40).rev().filter(|i| i % 3 == 0) {
            remove(&mut page, count, i);
            count -= 1;
        }
        shrink(&mut page, count);
        assert_eq!(count, kept.len());
        for (i, bytes) in kept.iter().enumerate() {
            assert_eq!(&page[record(&page, i)], bytes);
            let tag = bytes.len() as u32 % 5;
            assert_eq!(find(&page, count, tag, |at| at == i), Some(i));
            assert_eq!(find(&page, count, tag + 5, |_| true), None);
        }
        let used = count * SLOT + tail(&page, count);
        assert!(page.len() >= used && page.len() < used + used / 2);
    }

    #[test]
    fn a_page_that_would_be_too_long_is_refused_unchanged() {
        let (mut page, mut count) = (empty(), 0);
        push(&mut page, &mut count, 1, b"one");
        assert_eq!(reserve(&mut page, count, 1, PAGE_MAX), Err(Refused::Size));
        assert_eq!(&page[record(&page, 0)], b"one");
    }
}
