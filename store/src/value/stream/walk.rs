//! Going through a stream's entries, in either direction.

use collections::id_map;

use super::Stream;
use super::id::StreamId;
use super::node::{Entry, Items, Node};

/// The live entries between two ids, both included.
#[derive(Clone)]
pub struct Walk<'s> {
    nodes: id_map::Entries<'s, Node>,
    items: Option<Items<'s>>,
    start: StreamId,
    end: StreamId,
    backwards: bool,
}

impl Stream {
    /// The live entries from `start` to `end`, both included.
    #[must_use]
    pub fn range(&self, start: StreamId, end: StreamId) -> Walk<'_> {
        self.walk(start, end, false)
    }

    /// The live entries from `end` back to `start`, both included.
    #[must_use]
    pub fn range_back(&self, start: StreamId, end: StreamId) -> Walk<'_> {
        self.walk(start, end, true)
    }

    fn walk(&self, start: StreamId, end: StreamId, backwards: bool) -> Walk<'_> {
        let nodes = &self.body.nodes;
        let from = if backwards { end } else { start };
        let mut cursor = nodes.at_or_before(from.into());
        if cursor.get().is_none() && !backwards {
            // Everything is behind it.
            cursor = nodes.at_rank(0);
        }
        let mut walk = Walk {
            nodes: cursor,
            items: None,
            start,
            end,
            backwards,
        };
        walk.enter();
        walk
    }
}

impl<'s> Walk<'s> {
    /// Takes the node that the cursor is at and moves the cursor on.
    fn enter(&mut self) {
        self.items = self
            .nodes
            .get()
            .map(|(first, node)| node.items(first.into()));
        if self.backwards {
            self.nodes.back();
        } else {
            self.nodes.forward();
        }
    }
}

impl<'s> Iterator for Walk<'s> {
    type Item = Entry<'s>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'s>> {
        loop {
            let items = self.items.as_mut()?;
            let entry = if self.backwards {
                items.next_back()
            } else {
                items.next()
            };
            let Some(entry) = entry else {
                self.enter();
                continue;
            };
            let (is_early, is_late) = if self.backwards {
                (entry.id > self.end, entry.id < self.start)
            } else {
                (entry.id < self.start, entry.id > self.end)
            };
            if is_late {
                self.items = None;
                return None;
            }
            if !is_early && !entry.is_deleted() {
                return Some(entry);
            }
        }
    }
}
