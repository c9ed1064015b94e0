//! Looking for a tag in a segment's array of tags, and asking the cache for memory ahead.
//!
//! A segment has no home positions: any slot may hold any entry, so all its tags are compared,
//! sixteen at a time with SSE2, which every x86-64 processor has. Forty-eight tags are three
//! steps of a few instructions each; two distinct keys agree in a tag once in 65,536, so the first
//! hit is nearly always the entry. Elsewhere the compiler vectorises the portable loop.
//!
//! P1  `tags` is readable for `PAD` bytes past its last used tag, and all of that is initialised.

/// Tags compared in one step.
const STEP: usize = 16;

/// Bytes that must be readable beyond the last tag in use (P1).
pub(super) const PAD: usize = (STEP - 1) * size_of::<u16>();

/// Calls `hit` with each slot below `len` whose tag is `tag` until it says yes; returns that slot.
///
/// # Safety
/// `tags` points to `len` tags and fulfils P1.
#[inline(always)]
pub(super) unsafe fn find_tag(
    tags: *const u16,
    len: usize,
    tag: u16,
    mut hit: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let mut base = 0;
    while base < len {
        // SAFETY: base < len, so by P1 STEP tags are readable from here.
        let mut found = unsafe { equal_tags(tags.add(base), tag) };
        let left = len - base;
        if left < STEP {
            found &= (1 << left) - 1;
        }
        while found != 0 {
            let slot = base + found.trailing_zeros() as usize;
            if hit(slot) {
                return Some(slot);
            }
            found &= found - 1;
        }
        base += STEP;
    }
    None
}

/// A bit for each of the `STEP` tags from `tags` that equals `tag`.
///
/// # Safety
/// `STEP` tags are readable and initialised.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn equal_tags(tags: *const u16, tag: u16) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi16, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_set1_epi16,
    };
    // SAFETY: the caller vouches for 32 readable bytes; the loads need no alignment; SSE2 is part
    // of x86-64.
    unsafe {
        let wanted = _mm_set1_epi16(tag.cast_signed());
        let low = _mm_cmpeq_epi16(_mm_loadu_si128(tags.cast()), wanted);
        let high = _mm_cmpeq_epi16(_mm_loadu_si128(tags.add(STEP / 2).cast()), wanted);
        _mm_movemask_epi8(_mm_packs_epi16(low, high)).cast_unsigned()
    }
}

/// A bit for each of the `STEP` tags from `tags` that equals `tag`.
///
/// # Safety
/// `STEP` tags are readable and initialised.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn equal_tags(tags: *const u16, tag: u16) -> u32 {
    // SAFETY: the caller vouches for the tags; an array of u16 has the alignment of one.
    let block = unsafe { tags.cast::<[u16; STEP]>().read() };
    let mut found = 0;
    for (i, t) in block.into_iter().enumerate() {
        found |= u32::from(t == tag) << i;
    }
    found
}

/// Asks for the cache line at `address`, which need not be valid. A hint: it never faults.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could observe and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = address;
    }
}

/// Bytes in a cache line, for prefetching several in a row.
pub(crate) const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_slot_and_nothing_behind_the_end() {
        for len in 0..70_usize {
            let mut tags = vec![7_u16; len + STEP];
            for (i, t) in tags.iter_mut().enumerate().take(len) {
                *t = 1000 + u16::try_from(i).expect("small");
            }
            for slot in 0..len {
                let tag = 1000 + u16::try_from(slot).expect("small");
                // SAFETY: the vector is STEP longer than len.
                let found = unsafe { find_tag(tags.as_ptr(), len, tag, |_| true) };
                assert_eq!(found, Some(slot));
            }
            // The padding is full of sevens: they must not count.
            // SAFETY: as above.
            assert_eq!(unsafe { find_tag(tags.as_ptr(), len, 7, |_| true) }, None);
        }
    }

    #[test]
    fn goes_on_after_a_false_hit() {
        let tags = [5_u16; 40];
        let mut seen = Vec::new();
        // SAFETY: 24 + STEP = 40 tags are there.
        let found = unsafe {
            find_tag(tags.as_ptr(), 24, 5, |slot| {
                seen.push(slot);
                slot == 20
            })
        };
        assert_eq!(found, Some(20));
        assert_eq!(seen, (0..=20).collect::<Vec<_>>());
    }
}
