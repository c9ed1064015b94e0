//! Sorted sets.
//!
//! ```text
//!   ZSET_2          count  (string  f64)*         a large one, highest first; little-endian
//!   ZSET_LISTPACK   string                        a listpack of members and scores, lowest first
//!   ZSET_ZIPLIST    string                        the same as a ziplist (before Redis 7.0)
//!   ZSET            count  (string  text)*        scores in decimal (before Redis 4.0)
//!
//!   text   length(u8) byte*,  or FD: not a number  FE: infinity  FF: -infinity
//! ```
//!
//! Scores in a listpack are spelled as a client sees them; one that is a whole number becomes an
//! integer entry by itself. In memory our small form holds them otherwise
//! (`store/src/value/sorted_set.rs`), so it is spelled anew.
//!
//! A member that comes twice, or a score that is no number, makes a foreign set malformed. The order
//! in which members come does not matter.

use collections::Listpack;
use collections::listpack::{Element, Ziplist};
use resp::number::{parse_f64, write_f64};
use store::{Container, Limits, Object, SortedSet};

use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::out::Out;
use crate::string;

const NAN: u8 = 0xfd;
const INFINITY: u8 = 0xfe;
const NEGATIVE_INFINITY: u8 = 0xff;

/// Appends type and value; the lowest version that holds them.
pub fn write(set: &SortedSet, out: &mut Out<'_>) -> u16 {
    if set.is_small()
        && let Some(pack) = spell(set)
    {
        out.head(types::ZSET_LISTPACK);
        string::write_opaque(pack.as_bytes(), out);
        return format::VERSION_LISTPACK;
    }
    out.head(types::ZSET_2);
    length::write(set.len(), out);
    for (score, member) in set.iter().rev() {
        string::write_element(member, out);
        out.extend(&score.to_le_bytes());
    }
    format::VERSION_ZSET_2
}

/// The listpack that Redis would hold; `None` if it would be too large or there is no memory.
fn spell(set: &SortedSet) -> Option<Listpack> {
    let mut pack = Listpack::new();
    let mut text = Vec::new();
    for (score, member) in set.iter() {
        text.clear();
        write_f64(&mut text, score);
        pack.append(member).ok()?;
        pack.append(&text).ok()?;
    }
    Some(pack)
}

/// Reads a sorted set that is written as type `number`.
///
/// # Errors
/// [`Malformed`].
pub fn read(number: u8, input: &mut Input<'_>, limits: &Limits) -> Result<Object, Malformed> {
    let set = match number {
        types::ZSET_LISTPACK => {
            let bytes = string::read_bytes(input)?.into_owned();
            let pack = Listpack::from_bytes(bytes).map_err(|_| Malformed::Encoding)?;
            from_pairs(pack.len(), pack.iter(), limits)?
        }
        types::ZSET_ZIPLIST => {
            let bytes = string::read_bytes(input)?;
            let list = Ziplist::read(&bytes).map_err(|_| Malformed::Encoding)?;
            from_pairs(list.len(), list.iter(), limits)?
        }
        _ => {
            let count = length::read_plain(input)?;
            let mut set = SortedSet::for_members(count, 0, limits);
            for _ in 0..count {
                let member = string::read_bytes(input)?;
                let score = if number == types::ZSET_2 {
                    f64::from_le_bytes(input.array()?)
                } else {
                    read_text(input)?
                };
                add(&mut set, &member, score, limits)?;
            }
            set
        }
    };
    if set.is_empty() {
        return Err(Malformed::Empty);
    }
    Ok(Object::SortedSet(set))
}

/// Members and scores in turn.
fn from_pairs<'p>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'p>>,
    limits: &Limits,
) -> Result<SortedSet, Malformed> {
    let mut set = SortedSet::for_members(len as u64 / 2, 0, limits);
    while let Some(member) = elements.next() {
        let score = match elements.next().ok_or(Malformed::Encoding)? {
            Element::Int(whole) => whole as f64,
            Element::Bytes(text) => parse_f64(text).ok_or(Malformed::Encoding)?,
        };
        add(&mut set, member.bytes(&mut [0; 20]), score, limits)?;
    }
    Ok(set)
}

fn read_text(input: &mut Input<'_>) -> Result<f64, Malformed> {
    match input.byte()? {
        NAN => Err(Malformed::Encoding),
        INFINITY => Ok(f64::INFINITY),
        NEGATIVE_INFINITY => Ok(f64::NEG_INFINITY),
        length => {
            let text = input.take(u64::from(length))?;
            parse_f64(text).ok_or(Malformed::Encoding)
        }
    }
}

fn add(set: &mut SortedSet, member: &[u8], score: f64, limits: &Limits) -> Result<(), Malformed> {
    if score.is_nan() {
        return Err(Malformed::Encoding);
    }
    match set.insert(member, score, limits) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Malformed::Encoding),
        Err(_) => Err(Malformed::Refused),
    }
}
