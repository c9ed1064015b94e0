//! Taking a tree apart at a rank, and putting two together.
//!
//! Both walk one path. A cut leaves small nodes along its edges, and nodes of one child; they are
//! legal (T4), the next cut or removal nearby takes them away, and `append` looks after its seam.

use super::edit::{insert, own, raise, split_if_over};
use super::{Child, Copies, Leaf, Node, Record, Totals, Tree, at_rank, first};
use std::ops::Range;

impl<R: Record> Tree<R> {
    /// Keeps what is before `rank` and returns the rest. `rank` must be a record's boundary.
    #[must_use = "dropping a large tree takes its time"]
    pub fn split_off(&mut self, rank: u64) -> Self {
        if rank == 0 {
            return std::mem::take(self);
        }
        let mut right = Self::new();
        if rank < self.weight() {
            right.root = self
                .root
                .as_mut()
                .map(|root| root.cut(rank, &mut self.copies));
            self.settle_root();
            right.settle_root();
        }
        right
    }

    /// Takes the elements of `ranks` out and returns them. Both ends must be boundaries of records.
    #[must_use = "dropping a large tree takes its time"]
    pub fn remove_ranks(&mut self, ranks: Range<u64>) -> Self {
        if ranks.start >= ranks.end {
            return Self::new();
        }
        let rest = self.split_off(ranks.end);
        let removed = self.split_off(ranks.start);
        self.append(rest);
        removed
    }

    /// Adds all of `other`, which must belong behind everything that is here.
    pub fn append(&mut self, other: Self) {
        let Some(sep) = other.leaf(first).map(Leaf::sep) else {
            return;
        };
        if self.is_empty() {
            self.root = other.root;
            return;
        }
        let seam = self.weight();
        let heights = (self.height(), other.height());
        let (Some(mut left), Some(mut right)) = (self.root.take(), other.root) else {
            unreachable!("neither is empty");
        };
        self.root = Some(if heights.0 >= heights.1 {
            right.sep = sep;
            let more = left.push_last(right, heights.0 - heights.1, &mut self.copies);
            raise(left, more)
        } else {
            let more = right.push_first(left, sep, heights.1 - heights.0, &mut self.copies);
            raise(right, more)
        });
        // A descent to each side of the seam joins what is small there.
        for mut rank in [seam - 1, seam] {
            self.edit(at_rank(&mut rank), |_| ());
        }
    }
}

impl<R: Record> Child<R> {
    /// Keeps what is before `rank`, which is inside, and returns the rest.
    fn cut(&mut self, rank: u64, copies: &mut Copies) -> Self {
        match own(&mut self.node, copies) {
            Node::Leaf(leaf) => {
                let (at, within) = leaf.position(rank);
                assert_eq!(within, 0, "a tree is cut between records");
                let right = leaf.split_off(at);
                self.totals = leaf.totals();
                Self::of_leaf(right.sep(), right)
            }
            Node::Inner(children) => {
                let mut within = rank;
                let at = at_rank(&mut within)(children);
                let mut right = if within == 0 {
                    children.split_off(at)
                } else {
                    let mut right = vec![children[at].cut(within, copies)];
                    right.extend(children.drain(at + 1..));
                    right
                };
                children.shrink_to_fit();
                right.shrink_to_fit();
                self.totals = Totals::of_inner(children);
                Self::of_inner(right[0].sep.clone(), right)
            }
        }
    }

    /// Hangs `child` in as the last one, `levels` below the top; 0 makes it our neighbour. Returns
    /// our new right neighbour, if there is one.
    fn push_last(&mut self, child: Self, levels: usize, copies: &mut Copies) -> Option<Self> {
        if levels == 0 {
            return Some(child);
        }
        let Node::Inner(children) = own(&mut self.node, copies) else {
            unreachable!("T1: there is a level below")
        };
        let at = children.len() - 1;
        if let Some(more) = children[at].push_last(child, levels - 1, copies) {
            insert(children, at + 1, more);
        }
        let more = split_if_over(children);
        self.totals = Totals::of_inner(children);
        more
    }

    /// Hangs `child` in as the first one, `levels` below the top, `sep` being between it and what
    /// was first. Returns our new right neighbour, if there is one.
    fn push_first(
        &mut self,
        child: Self,
        sep: R::Sep,
        levels: usize,
        copies: &mut Copies,
    ) -> Option<Self> {
        if levels == 0 {
            let mut right = std::mem::replace(self, child);
            right.sep = sep;
            return Some(right);
        }
        let Node::Inner(children) = own(&mut self.node, copies) else {
            unreachable!("T1: there is a level below")
        };
        if let Some(more) = children[0].push_first(child, sep, levels - 1, copies) {
            insert(children, 1, more);
        }
        let more = split_if_over(children);
        self.totals = Totals::of_inner(children);
        more
    }
}
