//! Who frees an element that a frozen segment and its live copy both point to.
//!
//! Elements carry no count. When the live table copies a segment `S` that a snapshot holds, the
//! copy `C` marks every slot *shared* and both get a link to one `Handover`: for `S` it is its
//! *own*, for `C` its *origin*. From then on the rule is: **the live side inherits, except for
//! what it has handed over.**
//!
//! ```text
//!    snapshot ──> S ──own──> Handover <──origin── C <── live table
//!                 │             handed: [b]       │
//!                 a  b  c                         a* b' c*        * = shared mark
//! ```
//!
//! Here the live side has replaced `b` by `b'`: it handed `b` over, so `S` frees `b` when it is
//! let go, and the marks of `a` and `c` say that they must not be changed or freed by `C` while
//! `S` lives. When `S` is let go it *closes* the handover; `C` finds that out at its next write,
//! clears its marks and owns `a` and `c`.
//!
//! Snapshots may overlap, so `S` may itself be a copy with marks, relative to an older segment.
//! Then closing leaves behind what `S` had borrowed and from whom, and `C` *settles*: a mark stays
//! if `S` had it too, and the link moves to the older handover.
//!
//! Invariants. A *holder* of an element is a segment with a slot for it; holders form a chain from
//! older to newer, in which each was copied from the one before.
//!
//! H1  A slot's mark is set if and only if the element was in the segment's origin when the copy
//!     was made and, as far as this segment has settled, a holder older than this one may live.
//!     Without an origin marks mean nothing and count as clear.
//! H2  Each element has one owner: the newest holder, or, once that one gave it up, the newest
//!     handover chain member that took it. Owner and mark decide: an unmarked element is freed by
//!     its owner, a marked one is offered to the origin (`give`).
//! H3  An open handover belongs to a living segment; `handed` is then what newer holders gave up,
//!     each of them an element of that segment, each once.
//! H4  A closed handover belongs to a segment that is gone; `marked` is then, sorted, what that
//!     segment had marked, `parent` the origin it had. Both never change again, but for `parent`
//!     falling away together with the list.
//! H5  The segment's end reads its own marks, settles them first, and closes exactly once; what
//!     was handed until then it frees or gives on by its own mark, what comes later the giver
//!     keeps or gives to `parent`. `state`'s lock makes "until then" exact.
//! H6  Only the live writer and the last dropper look at a segment's link and change its marks,
//!     never both: the writer holds a count while it does so. Locks are never nested.
//! H7  A chain of handovers is no longer than the number of snapshots that once lived together:
//!     a closing segment settles first, so it points at an open handover or at none.
//!
//! Checked by: `tests/handover_model.rs` (shuttle), `tests/table_model.rs` (counted elements),
//! AddressSanitizer.

use super::Element;
use super::frozen;
use super::segment::Word;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, PoisonError};
use std::ptr::NonNull;

/// The meeting place of a frozen segment and the copies that the live table made of it.
pub(super) struct Handover<E: Element> {
    /// Says without the lock that `state.open` is false.
    closed: AtomicBool,
    state: Mutex<State<E>>,
}

struct State<E: Element> {
    open: bool,
    /// The origin of the segment that this handover belongs to.
    parent: Option<Arc<Handover<E>>>,
    /// While it is open: what was handed over, with the bytes that count for it (F2 in `frozen.rs`).
    handed: Vec<(NonNull<u8>, usize)>,
    /// Once it is closed: what the segment had marked, sorted.
    marked: Vec<NonNull<u8>>,
}

// SAFETY: the list holds elements, which are Send and Sync by their trait; all else is behind the
// lock or atomic.
unsafe impl<E: Element> Send for Handover<E> {}
// SAFETY: as above.
unsafe impl<E: Element> Sync for Handover<E> {}

impl<E: Element> Handover<E> {
    /// An open handover for a segment whose own origin is `parent`.
    fn new(parent: Option<Arc<Self>>) -> Arc<Self> {
        let state = State {
            open: true,
            parent,
            handed: Vec::new(),
            marked: Vec::new(),
        };
        Arc::new(Self {
            closed: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> impl std::ops::DerefMut<Target = State<E>> {
        // Nothing under the lock can panic half-way but an allocation; the state stays whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers an element that was marked to the segment of `origin`, or to the one that it had
    /// borrowed it from. Gives it back if none of them lives: then the caller owns it (H2).
    #[must_use]
    pub(super) fn give(
        origin: &Arc<Self>,
        element: NonNull<u8>,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        let mut at = Arc::clone(origin);
        loop {
            let parent = {
                let mut state = at.lock();
                if state.open {
                    state.handed.push((element, bytes));
                    frozen::add(bytes);
                    return None;
                }
                // H4: the closed segment's marks say whether somebody older may hold it.
                if state.marked.binary_search(&element).is_err() {
                    return Some(element);
                }
                state.parent.clone()
            };
            match parent {
                Some(parent) => at = parent,
                None => return Some(element),
            }
        }
    }

    /// Follows `origin` past closed handovers, clearing the marks of what nobody older holds.
    /// Returns the open handover to which the remaining marks refer; without one all are clear.
    ///
    /// The caller has the words to itself (H6).
    pub(super) fn settle(origin: Arc<Self>, words: &mut [Word]) -> Option<Arc<Self>> {
        let mut at = origin;
        loop {
            // Acquire: what the closing thread read from the elements happened before our changes
            // to them. Reading a late `false` only leaves the marks for the next write.
            if !at.closed.load(Ordering::Acquire) {
                return Some(at);
            }
            let parent = {
                let state = at.lock();
                for word in words.iter_mut().filter(|w| w.is_shared()) {
                    if state.parent.is_none()
                        || state.marked.binary_search(&word.element()).is_err()
                    {
                        *word = word.without_shared();
                    }
                }
                state.parent.clone()
            };
            match parent {
                Some(parent) => at = parent,
                None => return None,
            }
        }
    }

    /// The end of the segment that this is the own handover of. `words` are its slots.
    pub(super) fn close(&self, words: &mut [Word]) {
        let parent = self.lock().parent.clone();
        let parent = parent.and_then(|parent| Self::settle(parent, words));
        let mut marked = Vec::new();
        if parent.is_some() {
            marked.extend(words.iter().filter(|w| w.is_shared()).map(|w| w.element()));
            marked.sort_unstable();
        }
        let handed = {
            let mut state = self.lock();
            debug_assert!(state.open, "H5: closed once");
            state.open = false;
            state.parent.clone_from(&parent);
            state.marked.clone_from(&marked);
            std::mem::take(&mut state.handed)
        };
        // Release: our reads of the elements come before the live side's changes (see `settle`).
        self.closed.store(true, Ordering::Release);
        for (element, bytes) in handed {
            frozen::sub(bytes);
            let ours = match &parent {
                Some(parent) if marked.binary_search(&element).is_ok() => {
                    Self::give(parent, element, bytes)
                }
                _ => Some(element),
            };
            if let Some(element) = ours {
                // SAFETY: H2: handed to us, held by nobody older, and given up by all newer.
                drop(unsafe { E::from_raw(element) });
            }
        }
    }
}

/// A segment's link: none, the handover of its origin, or its own, which knows the origin.
///
/// One word, because every segment has one: the low bit tells own from origin.
pub(super) struct Link<E: Element>(*const Handover<E>);

/// What a link says.
pub(super) enum Linked<E: Element> {
    None,
    /// The segment is a copy; its marks refer to this.
    Origin(Arc<Handover<E>>),
    /// The segment is frozen and was copied from.
    Own(Arc<Handover<E>>),
}

const OWN: usize = 1;

impl<E: Element> Link<E> {
    pub(super) const fn none() -> Self {
        Self(std::ptr::null())
    }

    pub(super) fn origin(handover: Arc<Handover<E>>) -> Self {
        let raw = Arc::into_raw(handover);
        debug_assert!(raw.addr() & OWN == 0);
        Self(raw)
    }

    fn own(handover: Arc<Handover<E>>) -> Self {
        Self(Self::origin(handover).into_raw().map_addr(|a| a | OWN))
    }

    fn into_raw(self) -> *const Handover<E> {
        std::mem::ManuallyDrop::new(self).0
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_null()
    }

    /// Takes the link apart.
    pub(super) fn take(&mut self) -> Linked<E> {
        let raw = std::mem::replace(&mut self.0, std::ptr::null());
        if raw.is_null() {
            return Linked::None;
        }
        // SAFETY: a non-null link owns one count of the Arc that it was made from, and has just
        // been emptied.
        let handover = unsafe { Arc::from_raw(raw.map_addr(|a| a & !OWN)) };
        if raw.addr() & OWN == 0 {
            Linked::Origin(handover)
        } else {
            Linked::Own(handover)
        }
    }

    /// Another link to the same origin, for the other half of a split.
    pub(super) fn clone_origin(&self) -> Self {
        debug_assert!(
            self.0.addr() & OWN == 0,
            "only a frozen segment has an own handover"
        );
        if !self.is_none() {
            // SAFETY: the link owns a count, so the Arc lives.
            unsafe { Arc::increment_strong_count(self.0) };
        }
        Self(self.0)
    }

    /// Makes the segment's own handover, keeping the origin as its parent, and returns it.
    pub(super) fn freeze(&mut self) -> Arc<Handover<E>> {
        let parent = match self.take() {
            Linked::None => None,
            Linked::Origin(origin) => Some(origin),
            // The live table lets go of a segment as soon as it has copied it.
            Linked::Own(_) => unreachable!("a segment is copied once"),
        };
        let own = Handover::new(parent);
        *self = Self::own(Arc::clone(&own));
        own
    }

    /// Offers an element whose slot was marked to the origin; see `Handover::give`.
    #[must_use]
    pub(super) fn give(&self, element: NonNull<u8>, bytes: usize) -> Option<NonNull<u8>> {
        debug_assert!(
            self.0.addr() & OWN == 0,
            "a live segment has no own handover"
        );
        if self.is_none() {
            return Some(element);
        }
        // SAFETY: the link owns a count; ManuallyDrop leaves it that one.
        let origin = std::mem::ManuallyDrop::new(unsafe { Arc::from_raw(self.0) });
        Handover::give(&origin, element, bytes)
    }
}

impl<E: Element> Drop for Link<E> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
