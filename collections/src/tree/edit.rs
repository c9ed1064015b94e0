//! The descent that changes: the only way to a node that may be written to.
//!
//! On the way down each node is made the tree's own; at the bottom the leaf is changed; on the way
//! up sums are brought into line, a leaf or node that has become too large splits, and one that has
//! become small joins a neighbour. A split costs one insertion into the node above; a join reads
//! the right neighbour, shared or not, and drops one count of it.

use super::{Child, Copies, FANOUT, Leaf, Node, Record, Totals, Tree, at_rank};
use crate::table::classes::class_size;
use std::cell::Cell;
use std::sync::Arc;

/// Children added to a full vector at once, so that small nodes stay small.
const STEP: usize = 4;

impl<R: Record> Tree<R> {
    /// Leads `change` to the leaf that `guide` names; in an empty tree to a fresh one.
    ///
    /// What `change` adds must belong between the leaf's separators, and must leave a leaf that
    /// one split makes legal. It may leave the leaf empty.
    #[inline]
    pub fn edit<T>(
        &mut self,
        mut guide: impl FnMut(&[Child<R>]) -> usize,
        change: impl FnOnce(&mut Leaf<R>) -> T,
    ) -> T {
        let root = self
            .root
            .get_or_insert_with(|| Child::of_leaf(R::Sep::default(), Leaf::default()));
        let (result, more) = root.edit(&mut self.copies, &mut guide, change);
        if more.is_some() {
            self.root = self.root.take().map(|root| raise(root, more));
        }
        self.settle_root();
        result
    }

    /// Leads `change` to the record that `rank` falls into, with its place in the leaf and how far
    /// in `rank` is; at or beyond the end to the last leaf's end.
    #[inline]
    pub fn edit_at<T>(
        &mut self,
        rank: u64,
        change: impl FnOnce(&mut Leaf<R>, usize, u64) -> T,
    ) -> T {
        let within = Cell::new(rank);
        let guide = |children: &[Child<R>]| {
            let mut rank = within.get();
            let at = at_rank(&mut rank)(children);
            within.set(rank);
            at
        };
        self.edit(guide, |leaf| {
            let (at, inside) = leaf.position(within.get());
            change(leaf, at, inside)
        })
    }

    /// Lets `change` have the record at an end, which must keep a weight: so no node changes its shape,
    /// and the descent needs neither guide nor repairs. `None` in an empty tree.
    #[inline]
    pub fn change_end<T>(&mut self, end: End, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let root = self.root.as_mut()?;
        Some(root.change_end(&mut self.copies, end, change))
    }

    /// Removes levels at the top that have one child, and a root that is empty.
    pub(super) fn settle_root(&mut self) {
        loop {
            let child = match self.root.as_ref().map(|root| &*root.node) {
                Some(Node::Inner(children)) if children.len() == 1 => children[0].clone(),
                Some(node) if node.is_empty() => {
                    self.root = None;
                    return;
                }
                _ => return,
            };
            self.root = Some(child);
        }
    }
}

/// One of a tree's ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Where the first record is.
    First,
    /// Where the last one is.
    Last,
}

impl End {
    /// The place of what is at this end of `len` things.
    #[inline]
    fn of(self, len: usize) -> usize {
        match self {
            End::First => 0,
            End::Last => len - 1,
        }
    }
}

/// A new root over `left` and what was split off it, if anything was.
pub(super) fn raise<R: Record>(left: Child<R>, right: Option<Child<R>>) -> Child<R> {
    match right {
        Some(right) => Child::of_inner(R::Sep::default(), vec![left, right]),
        None => left,
    }
}

/// The node, made our own. The nodes above must be so already.
#[inline]
pub(super) fn own<'a, R: Record>(
    node: &'a mut Arc<Node<R>>,
    copies: &mut Copies,
) -> &'a mut Node<R> {
    // Only the figures depend on this look: `make_mut` looks again. There are no weak counts.
    if Arc::strong_count(node) != 1 {
        copies.nodes += 1;
        copies.bytes += node.bytes() as u64;
    }
    Arc::make_mut(node)
}

/// Splits an inner node that has more than `FANOUT` children.
pub(super) fn split_if_over<R: Record>(children: &mut Vec<Child<R>>) -> Option<Child<R>> {
    if children.len() <= FANOUT {
        return None;
    }
    let right = children.split_off(children.len() / 2);
    children.shrink_to(children.len() + STEP);
    // The node's separator is its first child's, which means nothing in there from now on.
    Some(Child::of_inner(right[0].sep.clone(), right))
}

/// Puts a child into a node.
pub(super) fn insert<R: Record>(children: &mut Vec<Child<R>>, at: usize, child: Child<R>) {
    if children.len() == children.capacity() {
        let bytes = class_size((children.len() + STEP) * size_of::<Child<R>>());
        children.reserve_exact(bytes / size_of::<Child<R>>() - children.len());
    }
    children.insert(at, child);
}

impl<R: Record> Child<R> {
    /// Leads `change` to the leaf. Returns what was split off to the right of this child, which
    /// may be empty afterwards.
    fn edit<T>(
        &mut self,
        copies: &mut Copies,
        guide: &mut impl FnMut(&[Self]) -> usize,
        change: impl FnOnce(&mut Leaf<R>) -> T,
    ) -> (T, Option<Self>) {
        match own(&mut self.node, copies) {
            Node::Leaf(leaf) => {
                let result = change(leaf);
                let more = leaf.is_over().then(|| {
                    let right = leaf.split_off(leaf.split_point());
                    Self::of_leaf(right.sep(), right)
                });
                self.totals = leaf.totals();
                (result, more)
            }
            Node::Inner(children) => {
                let at = guide(children);
                let before = children[at].totals;
                let (result, more) = children[at].edit(copies, guide, change);
                let reshaped = match more {
                    Some(right) => {
                        insert(children, at + 1, right);
                        true
                    }
                    None => tidy(children, at, copies),
                };
                if !reshaped {
                    self.totals = self.totals.with(before, children[at].totals);
                    return (result, None);
                }
                let more = split_if_over(children);
                self.totals = Totals::of_inner(children);
                (result, more)
            }
        }
    }

    fn change_end<T>(
        &mut self,
        copies: &mut Copies,
        end: End,
        change: impl FnOnce(&mut R) -> T,
    ) -> T {
        let (before, result, after) = match own(&mut self.node, copies) {
            Node::Leaf(leaf) => {
                let before = leaf.sums();
                let result = leaf.change(end.of(leaf.len()), change);
                (before, result, leaf.sums())
            }
            Node::Inner(children) => {
                let at = end.of(children.len());
                let child = &mut children[at];
                let before = child.totals;
                let result = child.change_end(copies, end, change);
                (before, result, child.totals)
            }
        };
        self.totals = self.totals.with(before, after);
        result
    }

    fn is_under(&self) -> bool {
        match &*self.node {
            Node::Leaf(leaf) => leaf.is_under(),
            Node::Inner(children) => children.len() < FANOUT / 4,
        }
    }

    fn can_join(&self, right: &Self) -> bool {
        match (&*self.node, &*right.node) {
            (Node::Leaf(left), Node::Leaf(right)) => left.can_join(right),
            (Node::Inner(left), Node::Inner(right)) => left.len() + right.len() <= FANOUT / 4 * 3,
            _ => unreachable!("T1: neighbours are of one kind"),
        }
    }

    /// Takes over what the right neighbour holds.
    fn absorb(&mut self, right: &Self, copies: &mut Copies) {
        match (own(&mut self.node, copies), &*right.node) {
            (Node::Leaf(here), Node::Leaf(more)) => {
                here.join(more);
                self.totals = here.totals();
            }
            (Node::Inner(here), Node::Inner(more)) => {
                let seam = here.len();
                here.reserve_exact(more.len());
                here.extend(more.iter().cloned());
                // It was the first child, whose separator means nothing; it is not first any more.
                here[seam].sep = right.sep.clone();
                self.totals = Totals::of_inner(here);
            }
            _ => unreachable!("T1: neighbours are of one kind"),
        }
    }
}

/// After child `at` may have lost records: takes it out if it is empty, and joins it with a
/// neighbour if it is small. Returns whether the number of children has changed.
fn tidy<R: Record>(children: &mut Vec<Child<R>>, at: usize, copies: &mut Copies) -> bool {
    if children[at].node.is_empty() {
        children.remove(at);
        return true;
    }
    if !children[at].is_under() {
        return false;
    }
    let joins =
        |left: usize| left + 1 < children.len() && children[left].can_join(&children[left + 1]);
    let left = if joins(at) {
        at
    } else if at > 0 && joins(at - 1) {
        at - 1
    } else {
        return false;
    };
    let right = children.remove(left + 1);
    children[left].absorb(&right, copies);
    true
}
