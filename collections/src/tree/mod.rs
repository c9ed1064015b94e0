//! The counted copy-on-write B+tree under sorted sets, lists and streams.
//!
//! ```text
//!  Tree ─> [Inner: child, child, ..]          a child: separator, weight, bytes, counted pointer
//!             └─> [Inner ..]
//!                   └─> [Leaf]                 some dozens of records, laid out by its own type
//! ```
//!
//! The tree knows positions, not keys: a descent is steered by a closure that looks at a node's
//! children (`guide.rs` has the few that there are), and what the order of the records is, is the
//! business of whoever steers. Every child carries the weight of what is below it, so an element's
//! rank, and the element of a rank, are one descent.
//!
//! **Copy on write.** Nodes are counted (`Arc`). A clone of a tree is one more count of its root.
//! The only way to a node that may be changed is `Tree::edit`: it borrows the tree exclusively,
//! starts at the root and makes each node on its way its own (`Arc::make_mut`), so a node is changed
//! in place only while its count and those of all above it are one. A change under a live snapshot
//! copies one node a level, once. There is no unsafe code here.
//!
//! T1  All leaves are equally deep. No node but a tree's only leaf inside `edit` is empty.
//! T2  A child's `totals` are the sums over its subtree, its own node included.
//! T3  A separator was that of the right neighbour's first record when the two parted: in its
//!     order it is not above anything to its right, and not below anything to its left. The first
//!     child's separator means nothing.
//! T4  An inner node has at most `FANOUT` children, a leaf at most `FULL` records. Small nodes are legal: after a removal a small node joins a neighbour if both
//!     together are at most three quarters full, and nothing is borrowed.
//!
//! Checked by: `Tree::check`, `tests/tree_model.rs`, and the models of what is built on it.

mod cursor;
mod cut;
mod edit;
mod guide;
mod leaf;
mod parts;

pub use cursor::Cursor;
pub use edit::End;
pub use guide::{at_rank, first, last, not_above};
pub use leaf::{Leaf, Record};
pub use parts::{Part, Parts};

use crate::table::classes::class_size;
use std::fmt;
use std::sync::Arc;

/// The most children of an inner node. Larger ones make the tree lower and a copied path longer.
const FANOUT: usize = 64;

/// What stands before a value in an `Arc`: two counts.
pub(crate) const ARC_HEADER: usize = 2 * size_of::<usize>();

/// A counted copy-on-write B+tree. See the module's essay.
#[derive(Clone)]
pub struct Tree<R: Record> {
    root: Option<Child<R>>,
    copies: Copies,
}

/// A node as its parent sees it.
#[derive(Clone)]
pub struct Child<R: Record> {
    sep: R::Sep,
    totals: Totals,
    node: Arc<Node<R>>,
}

enum Node<R: Record> {
    Leaf(Leaf<R>),
    Inner(Vec<Child<R>>),
}

/// Sums over a subtree (T2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Totals {
    weight: u64,
    bytes: usize,
}

/// What copy on write has cost so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Copies {
    /// Nodes copied because somebody else held them.
    pub nodes: u64,
    /// Their bytes, what their records lead to not included.
    pub bytes: u64,
}

impl<R: Record> Tree<R> {
    /// An empty tree, which has allocated nothing.
    pub const fn new() -> Self {
        let copies = Copies { nodes: 0, bytes: 0 };
        Self { root: None, copies }
    }

    /// What all records count for.
    pub fn weight(&self) -> u64 {
        self.root.as_ref().map_or(0, |root| root.totals.weight)
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Bytes on the heap that the tree leads to, shared with a snapshot or not; exact if the
    /// allocator has the size classes of mimalloc, separators of many bytes not included.
    pub fn heap_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.totals.bytes)
    }

    /// What copy on write has cost since the tree was made.
    pub fn copies(&self) -> Copies {
        self.copies
    }

    /// The leaf to which `guide` leads; none in an empty tree.
    #[inline]
    pub fn leaf(&self, mut guide: impl FnMut(&[Child<R>]) -> usize) -> Option<&Leaf<R>> {
        let mut node = &*self.root.as_ref()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(children) => node = &children[guide(children)].node,
            }
        }
    }

    /// The leaf to which `guide` leads, and the weight of everything before it.
    pub fn leaf_and_rank(
        &self,
        mut guide: impl FnMut(&[Child<R>]) -> usize,
    ) -> Option<(&Leaf<R>, u64)> {
        let mut rank = 0;
        let leaf = self.leaf(|children| {
            let at = guide(children);
            rank += children[..at].iter().map(|c| c.totals.weight).sum::<u64>();
            at
        })?;
        Some((leaf, rank))
    }

    /// The record that `rank` falls into, and how far in.
    pub fn get(&self, rank: u64) -> Option<(&R, u64)> {
        let mut within = rank;
        let leaf = self.leaf(at_rank(&mut within))?;
        let (at, inside) = leaf.position(within);
        Some((leaf.records().get(at)?, inside))
    }

    /// The number of records. Visits all leaves.
    pub fn record_count(&self) -> usize {
        fn count<R: Record>(child: &Child<R>) -> usize {
            match &*child.node {
                Node::Leaf(leaf) => leaf.len(),
                Node::Inner(children) => children.iter().map(count).sum(),
            }
        }
        self.root.as_ref().map_or(0, count)
    }

    /// The number of levels, leaves included.
    fn height(&self) -> usize {
        self.root.as_ref().map_or(0, Child::height)
    }

    /// The number of leaves and of inner nodes. Visits all inner nodes.
    pub fn node_counts(&self) -> (usize, usize) {
        fn count<R: Record>(child: &Child<R>) -> (usize, usize) {
            match &*child.node {
                Node::Leaf(_) => (1, 0),
                // All children are of one kind (T1): leaves need no visit.
                Node::Inner(children) => match &*children[0].node {
                    Node::Leaf(_) => (children.len(), 1),
                    Node::Inner(_) => children
                        .iter()
                        .map(count)
                        .fold((0, 1), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
                },
            }
        }
        self.root.as_ref().map_or((0, 0), count)
    }

    /// Walks the whole tree and panics if an invariant does not hold. `leaf` is called with each
    /// leaf, and the separators to its left and right, to check its inside and T3. For tests.
    pub fn check(&self, mut leaf: impl FnMut(&Leaf<R>, Option<&R::Sep>, Option<&R::Sep>)) {
        let Some(root) = &self.root else { return };
        if let Node::Inner(children) = &*root.node {
            assert!(children.len() > 1, "a root of one child is no root");
        }
        root.check(root.height(), None, None, &mut leaf);
    }
}

impl<R: Record> Default for Tree<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Record> fmt::Debug for Tree<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("weight", &self.weight())
            .field("height", &self.height())
            .finish_non_exhaustive()
    }
}

impl<R: Record> Child<R> {
    /// The separator from the left neighbour.
    pub fn sep(&self) -> &R::Sep {
        &self.sep
    }

    /// What is below counts for.
    pub fn weight(&self) -> u64 {
        self.totals.weight
    }

    /// The first record below.
    pub fn first_record(&self) -> &R {
        let mut node = &*self.node;
        loop {
            match node {
                Node::Leaf(leaf) => return &leaf.records()[0],
                Node::Inner(children) => node = &children[0].node,
            }
        }
    }

    fn of_leaf(sep: R::Sep, leaf: Leaf<R>) -> Self {
        let totals = leaf.totals();
        let node = Arc::new(Node::Leaf(leaf));
        Self { sep, totals, node }
    }

    fn of_inner(sep: R::Sep, children: Vec<Self>) -> Self {
        let totals = Totals::of_inner(&children);
        let node = Arc::new(Node::Inner(children));
        Self { sep, totals, node }
    }

    fn height(&self) -> usize {
        let mut height = 1;
        let mut node = &*self.node;
        while let Node::Inner(children) = node {
            height += 1;
            node = &children[0].node;
        }
        height
    }

    fn check(
        &self,
        height: usize,
        low: Option<&R::Sep>,
        high: Option<&R::Sep>,
        check_leaf: &mut impl FnMut(&Leaf<R>, Option<&R::Sep>, Option<&R::Sep>),
    ) {
        match &*self.node {
            Node::Leaf(leaf) => {
                assert_eq!(height, 1, "T1");
                assert!(!leaf.is_empty(), "T1");
                leaf.check();
                assert_eq!(self.totals, leaf.totals(), "T2");
                assert!(!leaf.is_over(), "T4");
                check_leaf(leaf, low, high);
            }
            Node::Inner(children) => {
                assert!(!children.is_empty(), "T1");
                assert!(children.len() <= FANOUT, "T4");
                assert_eq!(self.totals, Totals::of_inner(children), "T2");
                for (i, child) in children.iter().enumerate() {
                    let low = if i == 0 { low } else { Some(&child.sep) };
                    let high = children.get(i + 1).map_or(high, |next| Some(&next.sep));
                    child.check(height - 1, low, high, check_leaf);
                }
            }
        }
    }
}

impl<R: Record> fmt::Debug for Child<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl<R: Record> Clone for Node<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(children) => {
                // As much room as before, so that the sums above stay right.
                let mut copy = Vec::with_capacity(children.capacity());
                copy.extend_from_slice(children);
                Self::Inner(copy)
            }
        }
    }
}

impl<R: Record> Node<R> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.is_empty(),
            Self::Inner(children) => children.is_empty(),
        }
    }

    /// Bytes of this node alone.
    fn bytes(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.totals().bytes,
            Self::Inner(children) => Self::inner_bytes(children),
        }
    }

    fn inner_bytes(children: &Vec<Child<R>>) -> usize {
        Self::own_bytes() + class_size(children.capacity() * size_of::<Child<R>>())
    }

    const fn own_bytes() -> usize {
        class_size(ARC_HEADER + size_of::<Self>())
    }
}

impl Totals {
    fn of_inner<R: Record>(children: &Vec<Child<R>>) -> Self {
        let mut sum = Self {
            weight: 0,
            bytes: Node::inner_bytes(children),
        };
        for child in children {
            sum.weight += child.totals.weight;
            sum.bytes += child.totals.bytes;
        }
        sum
    }

    /// These sums after one of their terms has changed.
    #[inline]
    fn with(self, before: Self, after: Self) -> Self {
        Self {
            weight: self.weight - before.weight + after.weight,
            bytes: self.bytes - before.bytes + after.bytes,
        }
    }
}
