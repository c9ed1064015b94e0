//! A place in a tree, from which one walks in both directions.

use super::{Child, Leaf, Node, Record, Tree};

/// More levels than any tree has: each new one takes two nodes too full to be joined, some fifty
/// children, so sixteen levels would fill every address many times.
const LEVELS: usize = 16;

/// A place: a record, or none when the walk has come to an end or the tree is empty.
pub struct Cursor<'a, R: Record> {
    path: [(&'a [Child<R>], usize); LEVELS],
    depth: usize,
    leaf: Option<&'a Leaf<R>>,
    at: usize,
}

impl<R: Record> Tree<R> {
    /// The record that `rank` falls into, and how far in. At or beyond the end the cursor is at
    /// no record.
    pub fn seek(&self, rank: u64) -> (Cursor<'_, R>, u64) {
        if rank >= self.weight() {
            return (Cursor::nowhere(), 0);
        }
        let mut within = rank;
        let mut cursor = Cursor::nowhere();
        cursor.enter(self.root.as_ref(), super::at_rank(&mut within));
        let (at, within) = cursor.leaf.map_or((0, 0), |leaf| leaf.position(within));
        cursor.at = at;
        (cursor, within)
    }

    /// The record of the guided leaf that `find` names. If that is behind the leaf's last one, the
    /// next leaf's first.
    pub fn seek_by(
        &self,
        guide: impl FnMut(&[Child<R>]) -> usize,
        find: impl FnOnce(&Leaf<R>) -> usize,
    ) -> Cursor<'_, R> {
        let mut cursor = Cursor::nowhere();
        cursor.enter(self.root.as_ref(), guide);
        if let Some(leaf) = cursor.leaf {
            cursor.at = find(leaf);
            if cursor.at >= leaf.len() {
                cursor.step(true);
            }
        }
        cursor
    }

    /// The last record.
    pub fn seek_last(&self) -> Cursor<'_, R> {
        let mut cursor = Cursor::nowhere();
        cursor.enter(self.root.as_ref(), super::last);
        cursor.at = cursor.leaf.map_or(0, |leaf| leaf.len() - 1);
        cursor
    }
}

impl<'a, R: Record> Cursor<'a, R> {
    /// At no record.
    pub(crate) const fn nowhere() -> Self {
        Self {
            path: [(&[], 0); LEVELS],
            depth: 0,
            leaf: None,
            at: 0,
        }
    }

    /// The record; none behind either end.
    #[inline]
    pub fn get(&self) -> Option<&'a R> {
        self.leaf?.records().get(self.at)
    }

    /// To the next record.
    #[inline]
    pub fn forward(&mut self) {
        if let Some(leaf) = self.leaf {
            self.at += 1;
            if self.at >= leaf.len() {
                self.step(true);
            }
        }
    }

    /// To the record before.
    #[inline]
    pub fn back(&mut self) {
        if self.leaf.is_some() {
            if self.at == 0 {
                self.step(false);
            } else {
                self.at -= 1;
            }
        }
    }

    fn enter(&mut self, from: Option<&'a Child<R>>, mut guide: impl FnMut(&[Child<R>]) -> usize) {
        let Some(child) = from else { return };
        let mut node = &*child.node;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    self.leaf = Some(leaf);
                    return;
                }
                Node::Inner(children) => {
                    let at = guide(children);
                    self.path[self.depth] = (children, at);
                    self.depth += 1;
                    node = &children[at].node;
                }
            }
        }
    }

    /// To the neighbouring leaf's nearest record.
    fn step(&mut self, forward: bool) {
        self.leaf = None;
        self.at = 0;
        while self.depth > 0 {
            self.depth -= 1;
            let (children, at) = self.path[self.depth];
            let next = if forward { at + 1 } else { at.wrapping_sub(1) };
            if let Some(child) = children.get(next) {
                self.path[self.depth] = (children, next);
                self.depth += 1;
                if forward {
                    self.enter(Some(child), super::first);
                } else {
                    self.enter(Some(child), super::last);
                    self.at = self.leaf.map_or(0, |leaf| leaf.len() - 1);
                }
                return;
            }
        }
    }
}

impl<R: Record> std::fmt::Debug for Cursor<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("at_record", &self.leaf.is_some())
            .finish_non_exhaustive()
    }
}

// Not derived: a cursor is copied whatever the records are.
impl<R: Record> Clone for Cursor<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Record> Copy for Cursor<'_, R> {}
