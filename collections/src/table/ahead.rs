//! Looking ahead: asking the cache for what a look-up will need, in stages.
//!
//!   `ahead`       reads the directory, asks for the segment's header and tags
//!   `ask_word`    reads the tags, asks for the word that points to the entry
//!   `ask_entry`   reads the word, asks for the entry's first lines
//!
//! With a dozen look-ups at a time, each stage run for all of them before the next, the latencies of
//! memory overlap. No stage reads what it asks for. What a stage has found out is kept for the next, so
//! that the tags are searched once; a tag that two keys share may make it ask for the wrong entry,
//! which costs the other key's look-up a wait and nothing else.
//!
//! A1  The table is borrowed for `'t`: the segment lives and does not change, so a slot that was found
//!     in use stays so.

use std::marker::PhantomData;

use super::probe::{self, LINE};
use super::segment::Seg;
use super::{Element, Hash, Table};

/// A look-up that is being prepared.
pub struct Ahead<'t, E: Element> {
    segment: Seg<E>,
    tag: u16,
    slot: Option<u16>,
    table: PhantomData<&'t Table<E>>,
}

impl<E: Element> Table<E> {
    /// The first stage. Nothing if the table is empty.
    #[inline]
    pub fn ahead(&self, hash: Hash) -> Option<Ahead<'_, E>> {
        let segment = self.segment(hash)?;
        segment.prefetch();
        Some(Ahead {
            segment,
            tag: hash.tag(),
            slot: None,
            table: PhantomData,
        })
    }
}

impl<E: Element> Ahead<'_, E> {
    /// The second stage.
    #[inline]
    pub fn ask_word(&mut self) {
        self.slot = self.segment.slot_of_tag(self.tag);
        if let Some(slot) = self.slot {
            // Its first and last byte: one word in sixteen lies in two lines.
            let word = self.segment.words_ptr().wrapping_add(usize::from(slot));
            probe::prefetch(word);
            probe::prefetch(word.wrapping_add(1).cast::<u8>().wrapping_sub(1));
        }
    }

    /// The third stage.
    #[inline]
    pub fn ask_entry(&self) {
        if let Some(slot) = self.slot {
            let element = self.segment.word(usize::from(slot)).element().as_ptr();
            probe::prefetch(element);
            probe::prefetch(element.wrapping_add(LINE));
        }
    }
}
