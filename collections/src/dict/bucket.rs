//! A bucket: a page, its long parts, and what must be known without touching the page.
//!
//! ```text
//!   Bucket   page ──▶ count | slots, records             page.rs, record.rs
//!   (in the  longs ─▶ counts | [Some, None, Some ..]     only if there is a long part
//!   chunk)   count             │           └─▶ Arc<Vec<u8>>
//!            deadlines         └─▶ Arc<Vec<u8>>
//!            earliest
//! ```
//!
//! B1  The page has `count` slots.
//! B2  Each number in a record names a part that is there, and each part is named once.
//! B3  `deadlines` is the number of records with one; `earliest` is the least of them, exactly,
//!     or `NEVER`.
//! B4  `longs.bytes` is the sum of what the allocator gave for the parts.
//!
//! A clone of a bucket is two counts; what is changed afterwards is copied then, by
//! `make_mut`: the page whole, and of the long parts the list.
//! Checked by: `Dict::check`, which the model test calls.

use super::hash::{self, Hashing};
use super::page::{self, Page};
use super::record::{self, Part, Record};
use super::{Deadline, Item};
use crate::Refused;
use crate::table::classes::class_size;
use std::sync::Arc;

/// Later than any deadline.
pub(super) const NEVER: i64 = i64::MAX;

/// The parts that are too long for the page.
#[derive(Clone, Default)]
struct Longs {
    parts: Vec<Option<Arc<Vec<u8>>>>,
    bytes: usize,
}

impl Longs {
    fn put(&mut self, part: Arc<Vec<u8>>) -> u32 {
        self.bytes += part_bytes(&part);
        let hole = self.parts.iter().position(Option::is_none);
        let number = hole.unwrap_or_else(|| {
            self.parts.push(None);
            self.parts.len() - 1
        });
        self.parts[number] = Some(part);
        u32::try_from(number).expect("fewer parts than bytes in a page")
    }

    fn remove(&mut self, number: u32) {
        let part = self.parts[number as usize].take().expect("B2");
        self.bytes -= part_bytes(&part);
        while let Some(None) = self.parts.last() {
            self.parts.pop();
        }
    }

    fn get(&self, number: u32) -> &Arc<Vec<u8>> {
        self.parts[number as usize].as_ref().expect("B2")
    }
}

/// What the allocator gave for a long part.
fn part_bytes(part: &Vec<u8>) -> usize {
    class_size(2 * size_of::<usize>() + size_of::<Vec<u8>>()) + class_size(part.capacity())
}

/// A long part of its own, or a refusal: its length is a client's choice.
fn long_part(bytes: &[u8]) -> Result<Arc<Vec<u8>>, Refused> {
    let mut part = Vec::new();
    part.try_reserve_exact(bytes.len())
        .map_err(|_| Refused::Memory)?;
    part.extend_from_slice(bytes);
    Ok(Arc::new(part))
}

/// See the essay.
#[derive(Clone)]
pub(super) struct Bucket {
    page: Page,
    longs: Option<Arc<Longs>>,
    earliest: i64,
    count: u32,
    deadlines: u32,
}

// The figure of `dict.md`.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Bucket>() == 32);

/// A bucket's sums, for those of chunk and dict.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Sums {
    pub(super) entries: usize,
    pub(super) deadlines: usize,
    /// Of slots and records.
    pub(super) used_bytes: usize,
    /// Of pages.
    pub(super) page_bytes: usize,
    /// Of long parts and their lists.
    pub(super) long_bytes: usize,
}

impl Bucket {
    pub(super) fn new() -> Self {
        Self {
            page: page::empty(),
            longs: None,
            earliest: NEVER,
            count: 0,
            deadlines: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// Asks for the page's slots.
    #[inline]
    pub(super) fn prefetch(&self) {
        self.page.prefetch();
    }

    pub(super) fn deadlines(&self) -> usize {
        self.deadlines as usize
    }

    pub(super) fn earliest(&self) -> i64 {
        self.earliest
    }

    #[inline]
    pub(super) fn sums(&self) -> Sums {
        let longs = self.longs.as_ref();
        Sums {
            entries: self.len(),
            deadlines: self.deadlines(),
            used_bytes: self.used_bytes(),
            page_bytes: self.page.heap_bytes(),
            long_bytes: longs.map_or(0, |l| {
                let list = size_of::<Longs>() + 2 * size_of::<usize>();
                l.bytes
                    + class_size(list)
                    + class_size(l.parts.capacity() * size_of::<Option<Arc<Vec<u8>>>>())
            }),
        }
    }

    /// Bytes that a change would copy because somebody else holds them too.
    pub(super) fn shared_bytes(&self) -> usize {
        // Only a figure: another holder may let go at this moment.
        if self.page.is_shared() {
            self.page.len()
        } else {
            0
        }
    }

    #[inline]
    fn record(&self, slot: usize) -> Record<'_> {
        Record::read(&self.page[page::record(&self.page, slot)])
    }

    #[inline]
    fn part<'a>(&'a self, part: Part<'a>) -> (&'a [u8], Option<&'a Arc<Vec<u8>>>) {
        match part {
            Part::Here(bytes) => (bytes, None),
            Part::Long(number) => {
                let part = self.longs.as_ref().expect("B2").get(number);
                (part.as_slice(), Some(part))
            }
        }
    }

    #[inline]
    pub(super) fn item(&self, slot: usize) -> Item<'_> {
        let record = self.record(slot);
        let (value, long) = self.part(record.value);
        Item {
            key: self.part(record.key).0,
            value,
            deadline: record.deadline,
            long,
        }
    }

    #[inline]
    pub(super) fn key(&self, slot: usize) -> &[u8] {
        self.part(self.record(slot).key).0
    }

    #[inline]
    pub(super) fn find(&self, tag: u32, key: &[u8]) -> Option<usize> {
        let page: &[u8] = &self.page;
        page::find(page, self.len(), tag, |slot| {
            let record = &page[page::record(page, slot)];
            record::has_key(record, key).unwrap_or_else(|| self.key(slot) == key)
        })
    }

    /// Adds an element that is not there. A refusal changes nothing.
    pub(super) fn add(
        &mut self,
        tag: u32,
        key: &[u8],
        value: &[u8],
        deadline: Option<i64>,
    ) -> Result<(), Refused> {
        let long_key = record::key_is_long(key.len());
        let long_value = record::value_is_long(key.len(), value.len());
        let key_part = long_key.then(|| long_part(key)).transpose()?;
        let value_part = long_value.then(|| long_part(value)).transpose()?;
        let mut record = Record {
            key: key_part.as_ref().map_or(Part::Here(key), |_| Part::Long(0)),
            value: value_part
                .as_ref()
                .map_or(Part::Here(value), |_| Part::Long(0)),
            deadline,
        };
        page::reserve(&mut self.page, self.count as usize, 1, record.len())?;
        if let Some(part) = key_part {
            record.key = Part::Long(self.longs_mut().put(part));
        }
        if let Some(part) = value_part {
            record.value = Part::Long(self.longs_mut().put(part));
        }
        let len = record.len();
        record.write(page::append(&mut self.page, self.count as usize, tag, len));
        self.count += 1;
        if let Some(deadline) = deadline {
            self.deadlines += 1;
            self.earliest = self.earliest.min(deadline);
        }
        Ok(())
    }

    fn longs_mut(&mut self) -> &mut Longs {
        Arc::make_mut(self.longs.get_or_insert_default())
    }

    /// Replaces the value of `slot`, which moves unless the new record is as long as the old.
    /// A refusal changes nothing.
    pub(super) fn replace(
        &mut self,
        slot: usize,
        value: &[u8],
        deadline: Deadline,
    ) -> Result<(), Refused> {
        let range = page::record(&self.page, slot);
        let old = Record::read(&self.page[range.clone()]);
        let deadline = match deadline {
            Deadline::Keep => old.deadline,
            Deadline::Clear => None,
            Deadline::At(ms) => Some(ms),
        };
        let key_len = self.part(old.key).0.len();
        let long_value = record::value_is_long(key_len, value.len());
        let part = long_value.then(|| long_part(value)).transpose()?;
        let mut value = match part {
            Some(_) => Part::Long(0),
            None => Part::Here(value),
        };
        let key = old.key;
        let new = |value| Record {
            key,
            value,
            deadline,
        };
        let same_shape = new(value).is_shaped_as(&old);
        self.check_room(range.len(), new(value).len())?;
        // From here on nothing is refused.
        if let Part::Long(number) = old.value {
            Arc::make_mut(self.longs.as_mut().expect("B2")).remove(number);
        }
        if let Some(part) = part {
            let longs = Arc::make_mut(self.longs.get_or_insert_default());
            value = Part::Long(longs.put(part));
        }
        if same_shape {
            let bytes = &mut self.page.make_mut()[range];
            let at = bytes.len() - value.len();
            value.write(&mut bytes[at..]);
            self.put_deadline(slot, deadline);
        } else {
            let new = Record {
                key,
                value,
                deadline,
            };
            let mut bytes = vec![0; new.len()];
            new.write(&mut bytes);
            self.rewrite(slot, &bytes);
        }
        self.drop_empty_longs();
        Ok(())
    }

    /// Sets or clears the deadline of `slot`, which may move.
    pub(super) fn set_deadline(
        &mut self,
        slot: usize,
        deadline: Option<i64>,
    ) -> Result<(), Refused> {
        let range = page::record(&self.page, slot);
        let old = Record::read(&self.page[range.clone()]);
        let new = Record { deadline, ..old };
        if new.is_shaped_as(&old) {
            self.put_deadline(slot, deadline);
            return Ok(());
        }
        self.check_room(range.len(), new.len())?;
        // Long parts keep their numbers.
        let mut bytes = vec![0; new.len()];
        new.write(&mut bytes);
        self.rewrite(slot, &bytes);
        Ok(())
    }

    /// Whether a record of `old` bytes may become one of `new`.
    fn check_room(&self, old: usize, new: usize) -> Result<(), Refused> {
        if page::fits(self.used_bytes() - old + new) {
            Ok(())
        } else {
            Err(Refused::Size)
        }
    }

    /// Puts a record in the place of another, at the end of the page; `check_room` allowed it.
    fn rewrite(&mut self, slot: usize, bytes: &[u8]) {
        let range = page::record(&self.page, slot);
        let had = record::deadline(&self.page[range]).is_some();
        let tag = page::tag(&self.page, slot);
        let others = self.len() - 1;
        page::remove(&mut self.page, others + 1, slot);
        let room = page::reserve(&mut self.page, others, 1, bytes.len());
        room.expect("check_room looked");
        page::append(&mut self.page, others, tag, bytes.len()).copy_from_slice(bytes);
        page::shrink(&mut self.page, others + 1);
        self.deadlines += u32::from(record::deadline(bytes).is_some());
        self.deadlines -= u32::from(had);
        self.refresh_earliest();
    }

    fn drop_empty_longs(&mut self) {
        if self.longs.as_ref().is_some_and(|l| l.parts.is_empty()) {
            self.longs = None;
        }
    }

    /// Writes a deadline over one that is there; none over none is nothing.
    fn put_deadline(&mut self, slot: usize, deadline: Option<i64>) {
        let Some(new) = deadline else { return };
        let range = page::record(&self.page, slot);
        let bytes = &mut self.page.make_mut()[range];
        let old = record::deadline(bytes).expect("the caller saw one");
        record::put_deadline(bytes, new);
        if new <= self.earliest {
            self.earliest = new;
        } else if old == self.earliest {
            self.refresh_earliest();
        }
    }

    /// Removes an element; the page shrinks where that is worth it.
    pub(super) fn remove(&mut self, slot: usize) {
        let deadline = self.record(slot).deadline;
        self.remove_only(slot);
        if deadline == Some(self.earliest) {
            self.refresh_earliest();
        }
        page::shrink(&mut self.page, self.count as usize);
    }

    /// Removes an element and leaves `earliest` and the page's length to the caller.
    fn remove_only(&mut self, slot: usize) {
        let record = self.record(slot);
        let (key, value) = (record.key, record.value);
        let numbers = [key, value].map(|part| match part {
            Part::Here(_) => None,
            Part::Long(number) => Some(number),
        });
        if record.deadline.is_some() {
            self.deadlines -= 1;
        }
        for number in numbers.into_iter().flatten() {
            self.longs_mut().remove(number);
        }
        self.drop_empty_longs();
        page::remove(&mut self.page, self.count as usize, slot);
        self.count -= 1;
    }

    /// Makes B3 true again.
    fn refresh_earliest(&mut self) {
        let deadlines = self.deadlines_with_slots().map(|(_, deadline)| deadline);
        self.earliest = deadlines.min().unwrap_or(NEVER);
    }

    /// The slots with a deadline, from the last to the first.
    pub(super) fn deadlines_with_slots(&self) -> impl Iterator<Item = (usize, i64)> {
        // Not looked for where there are none: a set never has any.
        let slots = if self.deadlines == 0 { 0 } else { self.len() };
        (0..slots).rev().filter_map(|slot| {
            let bytes = &self.page[page::record(&self.page, slot)];
            record::deadline(bytes).map(|deadline| (slot, deadline))
        })
    }

    /// Shows `visit` what has expired at `now_ms` and removes it; returns how many.
    pub(super) fn remove_expired(
        &mut self,
        now_ms: i64,
        visit: &mut impl FnMut(Item<'_>),
    ) -> usize {
        let expired: Vec<_> = self
            .deadlines_with_slots()
            .filter(|(_, deadline)| *deadline <= now_ms)
            .collect();
        // From the last to the first, so the slots that remain to be removed keep their numbers.
        for (slot, _) in &expired {
            visit(self.item(*slot));
            self.remove_only(*slot);
        }
        self.refresh_earliest();
        page::shrink(&mut self.page, self.count as usize);
        expired.len()
    }

    /// Two buckets made of this one: those that `go` chooses by their hash are in the second.
    pub(super) fn split(&self, hashing: Hashing, go: impl Fn(u64) -> bool) -> (Self, Self) {
        let mut halves = (Self::new(), Self::new());
        let goes: Vec<_> = (0..self.len())
            .map(|slot| go(hashing.of(self.key(slot))))
            .collect();
        for (half, which) in [(&mut halves.0, false), (&mut halves.1, true)] {
            let of_half = || (0..self.len()).filter(|slot| goes[*slot] == which);
            let bytes = of_half()
                .map(|slot| page::record(&self.page, slot).len())
                .sum();
            half.adopt(self, bytes, of_half());
        }
        halves
    }

    /// Whether `other`'s elements find room here too.
    pub(super) fn can_merge(&self, other: &Self) -> bool {
        page::fits(self.used_bytes() + other.used_bytes())
    }

    /// Bytes of slots and records.
    #[inline]
    pub(super) fn used_bytes(&self) -> usize {
        self.len() * page::SLOT + page::tail(&self.page, self.len())
    }

    /// Takes all elements of `other` in; `can_merge` must have allowed it.
    pub(super) fn merge(&mut self, other: &Self) {
        let bytes = page::tail(&other.page, other.len());
        self.adopt(other, bytes, 0..other.len());
    }

    /// Appends the records in `slots` of another bucket, `bytes` long together.
    fn adopt(&mut self, from: &Self, bytes: usize, slots: impl Iterator<Item = usize> + Clone) {
        let room = page::reserve(
            &mut self.page,
            self.count as usize,
            slots.clone().count(),
            bytes,
        );
        room.expect("half of a page fits, and can_merge looked");
        for slot in slots {
            let source = &from.page[page::record(&from.page, slot)];
            let tag = page::tag(&from.page, slot);
            let len = self.len();
            page::append(&mut self.page, len, tag, source.len()).copy_from_slice(source);
            self.count += 1;
            if let Some(deadline) = record::deadline(source) {
                self.deadlines += 1;
                self.earliest = self.earliest.min(deadline);
            }
            if let Some(parts) = &from.longs {
                let longs = self.longs.get_or_insert_default();
                let longs = Arc::make_mut(longs);
                let range = page::record(&self.page, len);
                let record = &mut self.page.make_mut()[range];
                record::renumber(record, |number| longs.put(Arc::clone(parts.get(number))));
            }
        }
        self.drop_empty_longs();
    }

    /// Asserts B1 to B4 and that each element is where `belongs` says; for tests.
    pub(super) fn check(&self, hashing: Hashing, belongs: impl Fn(u64) -> bool) {
        let mut numbers = Vec::new();
        for slot in 0..self.len() {
            let hash = hashing.of(self.key(slot));
            assert!(belongs(hash), "an element in the wrong bucket");
            assert_eq!(hash::tag(hash), page::tag(&self.page, slot));
            let record = self.record(slot);
            for part in [record.key, record.value] {
                if let Part::Long(number) = part {
                    numbers.push(number as usize);
                }
            }
        }
        numbers.sort_unstable();
        let parts = self.longs.as_ref().map_or(&[][..], |l| &l.parts);
        let there = (0..parts.len()).filter(|i| parts[*i].is_some());
        assert!(there.eq(numbers), "B2");
        let bytes = parts.iter().flatten().map(|p| part_bytes(p)).sum::<usize>();
        assert_eq!(bytes, self.longs.as_ref().map_or(0, |l| l.bytes), "B4");
        let deadlines = || (0..self.len()).filter_map(|slot| self.record(slot).deadline);
        assert_eq!(self.deadlines(), deadlines().count(), "B3");
        assert_eq!(self.earliest, deadlines().min().unwrap_or(NEVER), "B3");
        page::check(&self.page, self.len());
    }
}
