//! Sizes that the allocator really hands out.
//!
//! Arrays that grow in small steps are only dense if each step ends where a size class of the
//! allocator ends; else the slack moves from our slots into the allocator's. mimalloc rounds to
//! 16 bytes up to 128 and has four classes for each doubling above, so growing by one class costs
//! 8 % of slack on average. With another allocator the steps are as good as any; only the figures
//! of `heap_bytes` are then an estimate.

/// The size of the class that a request of `bytes` is served from.
pub(crate) const fn class_size(bytes: usize) -> usize {
    if bytes <= 128 {
        return (bytes + 15) & !15;
    }
    // Four steps between one power of two and the next.
    let step = 1 << ((bytes - 1).ilog2() - 2);
    (bytes + step - 1) & !(step - 1)
}

/// What the allocator gives for one large request of `bytes`: above four mebibytes it goes in steps of one.
pub const fn allocated_bytes(bytes: usize) -> usize {
    const MIB: usize = 1 << 20;
    if bytes > 4 * MIB {
        bytes.next_multiple_of(MIB)
    } else {
        class_size(bytes)
    }
}

const _: () = assert!(allocated_bytes(9_000_000) == 9 << 20 && allocated_bytes(100_000) == 114_688);
const _: () = assert!(class_size(1) == 16 && class_size(128) == 128);
const _: () = assert!(class_size(129) == 160 && class_size(160) == 160);
const _: () = assert!(class_size(513) == 640 && class_size(641) == 768);

#[cfg(all(test, not(miri)))]
mod tests {
    use super::class_size;

    #[test]
    fn classes_are_monotone_and_tight() {
        for bytes in 1..10_000 {
            let class = class_size(bytes);
            assert!(class >= bytes && class_size(class) == class);
            assert!(
                bytes <= 128 || class * 4 < bytes * 5 + 4,
                "{bytes} wastes too much: {class}"
            );
        }
    }
}
