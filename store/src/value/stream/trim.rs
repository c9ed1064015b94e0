//! Cutting a stream's old end off, and what becomes of the references that groups hold.

use super::Stream;
use super::id::StreamId;
use super::node::{Counts, Node, Place};
use crate::error::Refused;

/// What is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// All but so many entries.
    MaxLen(u64),
    /// The entries below this id.
    MinId(StreamId),
}

/// What becomes of pending deliveries of an entry that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay.
    #[default]
    Keep,
    /// They go with it.
    Delete,
    /// Only entries go that every group has read and acknowledged.
    Acked,
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is cut off.
    pub bound: Bound,
    /// Whole nodes only.
    pub is_rough: bool,
    /// At most so many entries; 0: no limit.
    pub limit: u64,
    /// What becomes of references.
    pub references: References,
}

impl Stream {
    /// Trims; how many entries went.
    ///
    /// # Errors
    /// `Refused` if there is no memory for a copy of the node that is cut; whole nodes may have gone
    /// then, as they had to.
    pub fn trim(&mut self, trim: &Trim) -> Result<u64, Refused> {
        let mut removed = 0;
        let mut from = 0;
        let mut done = Ok(());
        while let Some((first, node)) = self.body.nodes.at_or_after(from).get() {
            if matches!(trim.bound, Bound::MaxLen(max) if self.body.len <= max) {
                break;
            }
            let live = node.counts().live.cast_unsigned();
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            from = first;
            if self.goes_whole(first, node, trim) {
                self.remove_node(first, trim.references);
                removed += live;
                continue;
            }
            if trim.is_rough {
                break;
            }
            let (places, goes_on) = self.cut(first, node, trim);
            match self.delete_places(first, &places) {
                Ok(()) => removed += places.len() as u64,
                Err(refused) => done = Err(refused),
            }
            if !goes_on || done.is_err() {
                break;
            }
            from = first + 1;
        }
        if removed > 0 {
            self.note_first();
        }
        done.map(|()| removed)
    }

    /// Whether all of a node is cut off.
    fn goes_whole(&self, first: u128, node: &Node, trim: &Trim) -> bool {
        let Counts { live, .. } = node.counts();
        let is_outside = match trim.bound {
            Bound::MaxLen(max) => self.body.len - live.cast_unsigned() >= max,
            Bound::MinId(min) => node.last_id(first.into()) < min,
        };
        let mut items = node.items(first.into());
        is_outside
            && (trim.references != References::Acked
                || items.all(|entry| entry.is_deleted() || !self.is_referenced(entry.id)))
    }

    /// The entries of a node that are cut off, and whether the next node is to be looked at too.
    fn cut(&self, first: u128, node: &Node, trim: &Trim) -> (Vec<Place>, bool) {
        let mut places = Vec::new();
        for entry in node.items(first.into()) {
            let is_end = match trim.bound {
                Bound::MaxLen(max) => self.body.len - places.len() as u64 <= max,
                Bound::MinId(min) => entry.id >= min,
            };
            if is_end {
                return (places, false);
            }
            let stays = trim.references == References::Acked && self.is_referenced(entry.id);
            if !entry.is_deleted() && !stays {
                places.push(entry.place());
            }
        }
        (places, trim.references == References::Acked)
    }

    fn remove_node(&mut self, first: u128, references: References) {
        let Some(node) = self.body.nodes.remove(first) else {
            return;
        };
        self.body.len -= node.counts().live.cast_unsigned();
        if references == References::Delete {
            for entry in node.items(first.into()).filter(|entry| !entry.is_deleted()) {
                self.forget_everywhere(entry.id);
            }
        }
    }
}
