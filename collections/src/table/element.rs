//! What a table holds: an owning handle to one allocation, seen as a bare pointer.

use super::Hash;
use std::ptr::NonNull;

/// An owning, pointer-sized handle to one allocation, such as a key's entry.
///
/// A table stores the raw pointer, hands out borrowed views of it, and turns it back into the
/// handle when the entry leaves. Elements carry no reference count: which segment may free one is
/// the business of the table (see `docs/design/table.md`).
///
/// # Safety
///
/// - `into_raw` and `from_raw` are inverse; the pointer stays valid and at the same address from
///   the one to the other, is never null, and its address is a multiple of four (the table keeps
///   two marks in the low bits).
/// - Any number of threads may use `Ref` views of one element at once. Whatever an element lets
///   be changed through a `Ref` (an access clock) is atomic.
/// - Dropping the handle on any thread is sound once no view is in use.
pub unsafe trait Element: Sized + Send + Sync + 'static {
    /// What look-ups compare, for example `[u8]`.
    type Key: ?Sized;
    /// What the hash depends on beside the key; the table keeps one and hands it back.
    type Seed: Copy + Send + Sync + 'static;
    /// A shared view. It must not offer anything that changes the element except atomically.
    type Ref<'a>: Copy;
    /// An exclusive view. It must not free or move the allocation, nor change the key.
    type Mut<'a>;

    /// Gives up the handle; the allocation lives on.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes the handle back.
    ///
    /// # Safety
    /// `element` came from `into_raw`, and nobody takes it back twice.
    unsafe fn from_raw(element: NonNull<u8>) -> Self;

    /// A shared view of an element that was given up with `into_raw`.
    ///
    /// # Safety
    /// The element stays alive for `'a`, and no exclusive view of it exists meanwhile.
    unsafe fn borrow<'a>(element: NonNull<u8>) -> Self::Ref<'a>;

    /// An exclusive view of an element that was given up with `into_raw`.
    ///
    /// # Safety
    /// The element stays alive for `'a`, and no other view of it exists meanwhile.
    unsafe fn borrow_mut<'a>(element: NonNull<u8>) -> Self::Mut<'a>;

    /// Whether this is the element of `key`.
    fn matches(element: Self::Ref<'_>, key: &Self::Key) -> bool;

    /// The hash of the element's key, the same as the one it was inserted with.
    fn hash(element: Self::Ref<'_>, seed: Self::Seed) -> Hash;

    /// When the element expires, in milliseconds; `None` if it does not.
    fn deadline(element: Self::Ref<'_>) -> Option<i64>;

    /// Bytes that only snapshots hold from now on, when the element leaves the live table and
    /// `successor` takes its place: what the two share does not count. See `frozen.rs`.
    fn left_bytes(element: Self::Ref<'_>, successor: Option<Self::Ref<'_>>) -> usize {
        let _ = (element, successor);
        0
    }
}
