//! Changes in the middle: LSET, LINSERT, LREM, LTRIM, and taking a range out.
//!
//! What can fail comes first (L2): parts are split, and copied where a snapshot holds them, before the
//! first element goes; splitting changes no element.

use std::ops::Range;

use collections::chunk_list::{Chunk, ChunkList};
use collections::listpack::Element;
use collections::{Listpack, Refused as PackRefused};

use super::part::{self, ListLimits, Part};
use super::{Container, Form, List, ListEnd};
use crate::error::Refused;

impl List {
    /// Puts an element in the place of another; `false` if there is none with this index. Who sets
    /// one has said so (`expect_more`).
    ///
    /// # Errors
    /// `Refused`, and the elements are as they were.
    pub fn set(&mut self, index: u64, value: &[u8], limits: ListLimits) -> Result<bool, Refused> {
        if index >= self.len() {
            return Ok(false);
        }
        match &mut self.form {
            Form::Packed(pack) => {
                let at = usize::try_from(index)
                    .ok()
                    .and_then(|index| pack.seek(index));
                pack.replace(at.expect("it is below the length"), value)?;
            }
            Form::Chunked(list) => {
                list.change(index, |part, within, more| {
                    replace(part, within, value, limits, more)
                })
                .expect("it is below the length")?;
                self.settle_shrunk(limits);
            }
        }
        Ok(true)
    }

    /// Adds an element before the one with this index, or behind all if it is the length. Who adds one
    /// has said so (`expect_more`).
    ///
    /// # Errors
    /// `Refused`, and the elements are as they were.
    pub fn insert(&mut self, index: u64, value: &[u8], limits: ListLimits) -> Result<(), Refused> {
        if index == 0 {
            return self.push(ListEnd::Left, value, limits);
        }
        if index >= self.len() {
            return self.push(ListEnd::Right, value, limits);
        }
        let list = match &mut self.form {
            Form::Packed(pack) => {
                let index = usize::try_from(index).expect("it is below the length");
                return part::insert(pack, index, value);
            }
            Form::Chunked(list) => list,
        };
        let (_, within) = list.get(index).expect("it is below the length");
        if within > 0 {
            return list
                .change(index, |part, within, more| {
                    insert_within(part, within, value, limits, more)
                })
                .expect("it is below the length");
        }
        let has_joined = list
            .change(index, |part, _, _| part.prepend(value, limits))
            .expect("it is below the length")?
            || list
                .change(index - 1, |part, _, _| part.append(value, limits))
                .expect("there is one before it")?;
        if !has_joined {
            list.insert(index, Part::of_value(value, 0, limits)?);
        }
        Ok(())
    }

    /// Removes up to `count` elements that equal `value`, those that are nearest to an end; how many
    /// there were.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn remove(
        &mut self,
        value: &[u8],
        count: u64,
        from: ListEnd,
        limits: ListLimits,
    ) -> Result<u64, Refused> {
        match &mut self.form {
            Form::Packed(pack) => Ok(remove_from(pack, value, count, from)),
            Form::Chunked(list) => {
                let found = own_matching(list, value, count, from)?;
                let mut removed = 0;
                // Farthest right first: what is removed there moves nobody on the left.
                for &(index, wanted) in &found {
                    removed += wanted;
                    list.change(index, |part, _, _| match part.pack_mut() {
                        Ok(Some(pack)) => {
                            let gone = remove_from(pack, value, wanted, from);
                            assert_eq!(gone, wanted, "they have been counted");
                        }
                        Ok(None) => *part = Part::of_pack(Listpack::new()),
                        Err(_) => unreachable!("it has been made ours alone"),
                    });
                }
                if removed > 0 {
                    self.settle_shrunk(limits);
                }
                Ok(removed)
            }
        }
    }

    /// Keeps the elements of a range. What goes comes back, to be dropped where there is time for it.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    #[must_use = "dropping a long list takes its time"]
    pub fn trim(&mut self, kept: Range<u64>, limits: ListLimits) -> Result<[List; 2], Refused> {
        let len = self.len();
        match &mut self.form {
            Form::Packed(pack) => {
                let size = |n: u64| usize::try_from(n).expect("it is at most the length");
                pack.truncate(size(kept.end));
                pack.delete_range(0, size(kept.start));
                Ok([List::new(), List::new()])
            }
            Form::Chunked(list) => {
                split_at(list, kept.start)?;
                split_at(list, kept.end)?;
                let right = list.remove_range(kept.end..len);
                let left = list.remove_range(0..kept.start);
                self.settle_shrunk(limits);
                Ok([left, right].map(List::of_chunks))
            }
        }
    }

    /// Takes the elements of a range out, as a list.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn take(&mut self, range: Range<u64>, limits: ListLimits) -> Result<List, Refused> {
        match &mut self.form {
            Form::Packed(pack) => {
                let index = usize::try_from(range.start).expect("it is at most the length");
                let count = usize::try_from(range.end - range.start).expect("as above");
                let Some(at) = pack.seek(index) else {
                    return Ok(List::new());
                };
                let taken = Listpack::from_elements(pack.iter_from(at).take(count))?;
                pack.delete_range(index, count);
                Ok(List {
                    form: Form::Packed(taken),
                })
            }
            Form::Chunked(list) => {
                split_at(list, range.start)?;
                split_at(list, range.end)?;
                let taken = list.remove_range(range);
                self.settle_shrunk(limits);
                Ok(List::of_chunks(taken))
            }
        }
    }

    fn of_chunks(list: ChunkList<Part>) -> List {
        if list.is_empty() {
            return List::new();
        }
        List {
            form: Form::Chunked(Box::new(list)),
        }
    }
}

/// Puts an element in the place of one of a part's, which is divided around it if it does not fit in.
fn replace(
    part: &mut Part,
    within: usize,
    value: &[u8],
    limits: ListLimits,
    more: &mut Vec<Part>,
) -> Result<(), Refused> {
    let old_bytes = part.get(within).map_or(0, Element::len);
    let fits = part.has_room_instead(old_bytes, value.len(), limits);
    let new = match fits {
        true => None,
        false => Some(Part::of_value(value, 0, limits)?),
    };
    match (part.pack_mut()?, new) {
        (Some(pack), None) => {
            let at = pack.seek(within).expect("it is below the part's length");
            pack.replace(at, value)?;
        }
        (Some(pack), Some(new)) => {
            let right = pack.split_off(within + 1)?;
            pack.truncate(within);
            more.push(new);
            if !right.is_empty() {
                more.push(Part::of_pack(right));
            }
        }
        (None, new) => *part = new.expect("nothing fits into a plain part"),
    }
    Ok(())
}

/// Adds an element between two of a part's, which is divided if it has no room.
fn insert_within(
    part: &mut Part,
    within: usize,
    value: &[u8],
    limits: ListLimits,
    more: &mut Vec<Part>,
) -> Result<(), Refused> {
    if part.insert(within, value, limits)? {
        return Ok(());
    }
    let alone = Part::of_value(value, 0, limits)?;
    let pack = part.pack_mut()?.expect("a plain part has nothing within");
    let mut right = Part::of_pack(pack.split_off(within)?);
    // The halves have room for what is not long by itself; if there is no memory, it stands alone.
    let has_joined = part.append(value, limits).unwrap_or(false)
        || right.prepend(value, limits).unwrap_or(false);
    if !has_joined {
        more.push(alone);
    }
    more.push(right);
    Ok(())
}

/// Makes sure that a part begins with the element `index`.
fn split_at(list: &mut ChunkList<Part>, index: u64) -> Result<(), Refused> {
    if list.get(index).is_none_or(|(_, within)| within == 0) {
        return Ok(());
    }
    let split = list.change(index, |part, within, more| {
        let pack = part.pack_mut()?.expect("a plain part has nothing within");
        more.push(Part::of_pack(pack.split_off(within)?));
        Ok(())
    });
    split.unwrap_or(Ok(()))
}

/// Removes up to `count` elements that equal `value`, those that are nearest to an end.
fn remove_from(pack: &mut Listpack, value: &[u8], count: u64, from: ListEnd) -> u64 {
    let mut removed = 0;
    match from {
        ListEnd::Left => {
            let mut next = pack.first();
            while removed < count
                && let Some(at) = next.and_then(|at| pack.find_from(at, value, 0))
            {
                next = pack.delete(at);
                removed += 1;
            }
        }
        ListEnd::Right => {
            let mut next = pack.last();
            while removed < count
                && let Some(at) = next
            {
                next = pack.prev(at);
                if pack.value(at).eq_bytes(value) {
                    pack.delete(at);
                    removed += 1;
                }
            }
        }
    }
    removed
}

/// Makes the parts in which up to `count` matching elements are this list's alone: the index of each
/// and how many of its own are to go, the rightmost part first.
fn own_matching(
    list: &mut ChunkList<Part>,
    value: &[u8],
    count: u64,
    from: ListEnd,
) -> Result<Vec<(u64, u64)>, Refused> {
    let mut found = Vec::new();
    let mut left = count;
    let mut index = match from {
        ListEnd::Left => 0,
        ListEnd::Right => list.len(),
    };
    while left > 0 {
        // The part that begins, or ends, at `index`.
        let (parts, _) = match from {
            ListEnd::Left => list.seek(index),
            ListEnd::Right if index == 0 => break,
            ListEnd::Right => list.seek(index - 1),
        };
        let Some(part) = parts.get() else { break };
        let len = part.count() as u64;
        let begin = match from {
            ListEnd::Left => index,
            ListEnd::Right => index - len,
        };
        let matching = count_matching(part, value).min(left);
        if matching > 0 {
            found.try_reserve(1).map_err(|_| PackRefused::Memory)?;
            found.push((begin, matching));
            left -= matching;
            list.change(begin, |part, _, _| part.pack_mut().map(|_| ()))
                .expect("the part is there")?;
        }
        index = match from {
            ListEnd::Left => begin + len,
            ListEnd::Right => begin,
        };
    }
    if from == ListEnd::Left {
        found.reverse();
    }
    Ok(found)
}

fn count_matching(part: &Part, value: &[u8]) -> u64 {
    let Some(pack) = part.pack() else {
        return u64::from(part.get(0).is_some_and(|only| only.eq_bytes(value)));
    };
    let mut next = pack.first();
    let mut count = 0;
    while let Some(at) = next.and_then(|at| pack.find_from(at, value, 0)) {
        count += 1;
        next = pack.next(at);
    }
    count
}
