//! Walking over a sorted set in order, and taking one apart.

use super::members::Members;
use super::{Rank, Scored};
use crate::tree::{self, Cursor, Tree};

/// The members of a range of ranks, from either end.
pub struct Range<'a> {
    members: &'a Members,
    tree: &'a Tree<Rank>,
    front: Option<Cursor<'a, Rank>>,
    back: Option<Cursor<'a, Rank>>,
    ranks: std::ops::Range<u64>,
}

impl<'a> Range<'a> {
    pub(super) fn new(
        tree: &'a Tree<Rank>,
        members: &'a Members,
        ranks: std::ops::Range<u64>,
    ) -> Self {
        let end = ranks.end.min(tree.weight());
        Self {
            members,
            tree,
            front: None,
            back: None,
            ranks: ranks.start.min(end)..end,
        }
    }

    fn show(&self, record: Option<&Rank>) -> Option<Scored<'a>> {
        let record = record?;
        Some((record.score(), self.members.member(record.label)))
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Scored<'a>;

    fn next(&mut self) -> Option<Scored<'a>> {
        if self.ranks.is_empty() {
            return None;
        }
        // The first step finds the place, so that an end that nobody walks from costs nothing.
        let cursor = self
            .front
            .get_or_insert_with(|| self.tree.seek(self.ranks.start).0);
        let record = cursor.get();
        cursor.forward();
        self.ranks.start += 1;
        self.show(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.ranks.end - self.ranks.start);
        let left = left.expect("members are in memory");
        (left, Some(left))
    }
}

impl<'a> DoubleEndedIterator for Range<'a> {
    fn next_back(&mut self) -> Option<Scored<'a>> {
        if self.ranks.is_empty() {
            return None;
        }
        let cursor = self
            .back
            .get_or_insert_with(|| self.tree.seek(self.ranks.end - 1).0);
        let record = cursor.get();
        cursor.back();
        self.ranks.end -= 1;
        self.show(record)
    }
}

impl ExactSizeIterator for Range<'_> {}

impl std::fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range")
            .field("ranks", &self.ranks)
            .finish_non_exhaustive()
    }
}

/// A set that is read once, in order, and lets go of its order as it goes. The bundles, in which
/// members lie in no order, stay until the end.
pub struct Parts {
    parts: tree::Parts<Rank>,
    members: Members,
}

impl Parts {
    pub(super) fn new(tree: Tree<Rank>, members: Members) -> Self {
        let parts = tree.into_parts();
        Self { parts, members }
    }

    /// Shows some dozens of members in order. Returns whether there were any left.
    pub fn show_some(&mut self, mut show: impl FnMut(f64, &[u8])) -> bool {
        let Some(part) = self.parts.next_leaf() else {
            return false;
        };
        for record in part.leaf().records() {
            show(record.score(), self.members.member(record.label));
        }
        true
    }

    /// What is left, to be freed step by step.
    pub fn into_remains(self) -> Remains {
        Remains {
            parts: self.parts,
            members: self.members,
        }
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// A set that nobody will read any more.
pub struct Remains {
    parts: tree::Parts<Rank>,
    members: Members,
}

impl Remains {
    pub(super) fn new(tree: Tree<Rank>, members: Members) -> Self {
        Parts::new(tree, members).into_remains()
    }

    /// Frees about `nodes` pieces of some dozens of members each. Returns whether there is more.
    pub fn free_some(&mut self, nodes: usize) -> bool {
        self.parts.free_some(nodes) || self.members.free_some(nodes)
    }
}

impl std::fmt::Debug for Remains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remains").finish_non_exhaustive()
    }
}
