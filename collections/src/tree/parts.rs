//! A tree taken apart leaf by leaf, for readers that let go as they read and for the free thread.
//!
//! The stack holds what is left, the next part on top; it is never longer than a node has children
//! times the tree's levels. An inner node that nobody else holds is opened, a shared one's children
//! get one count more.

use super::{Leaf, Node, Record, Tree};
use std::sync::Arc;

/// What is left of a tree that is being taken apart.
pub struct Parts<R: Record> {
    stack: Vec<Arc<Node<R>>>,
}

/// A leaf that has been taken out of a tree.
pub struct Part<R: Record>(Arc<Node<R>>);

impl<R: Record> Tree<R> {
    /// The tree's leaves, to be taken one by one.
    pub fn into_parts(self) -> Parts<R> {
        Parts {
            stack: self.root.into_iter().map(|root| root.node).collect(),
        }
    }
}

impl<R: Record> Parts<R> {
    /// The next leaf. Dropping it lets go of it.
    pub fn next_leaf(&mut self) -> Option<Part<R>> {
        loop {
            let node = self.stack.pop()?;
            if matches!(*node, Node::Leaf(_)) {
                return Some(Part(node));
            }
            if let Node::Inner(children) = Arc::unwrap_or_clone(node) {
                self.stack
                    .extend(children.into_iter().rev().map(|c| c.node));
            }
        }
    }

    /// Frees about `leaves` leaves. What somebody else holds, however much, is let go of at once.
    /// Returns whether there is more.
    pub fn free_some(&mut self, leaves: usize) -> bool {
        for _ in 0..leaves {
            let Some(node) = self.stack.pop() else {
                return false;
            };
            if let Some(Node::Inner(children)) = Arc::into_inner(node) {
                self.stack.extend(children.into_iter().map(|c| c.node));
            }
        }
        !self.stack.is_empty()
    }
}

impl<R: Record> Part<R> {
    /// The leaf.
    pub fn leaf(&self) -> &Leaf<R> {
        match &*self.0 {
            Node::Leaf(leaf) => leaf,
            Node::Inner(_) => unreachable!("`next_leaf` takes leaves"),
        }
    }
}

impl<R: Record> std::fmt::Debug for Parts<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("stack", &self.stack.len())
            .finish()
    }
}

impl<R: Record> std::fmt::Debug for Part<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("len", &self.leaf().len())
            .finish()
    }
}
