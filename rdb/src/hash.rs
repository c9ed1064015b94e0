//! Hashes.
//!
//! ```text
//!   HASH              count  (field value)*                                    no deadlines
//!   HASH_LISTPACK     string                                                   the listpack of pairs
//!   HASH_METADATA     earliest(i64)  count  (ttl field value)*                 ttl 0: none, else deadline - earliest + 1
//!   HASH_LISTPACK_EX  earliest(i64)  string                                    the listpack of triples
//!   HASH_ZIPLIST, HASH_ZIPMAP                                                  before Redis 7.0
//!   HASH_VALKEY       count  (field value deadline(i64))*                      -1: none
//! ```
//!
//! The two in the middle are Redis's since 7.4, the last is Valkey's since 9.0, and its number means
//! nothing to Redis: the version says whose it is. The form that is
//! asked for (`form.rs`) says which is written where a field has a deadline.
//!
//! A field that comes twice makes a foreign hash malformed, as for Redis. Fields whose time is over
//! are read like others: they go as soon as somebody looks at the time.

use collections::Listpack;
use collections::listpack::{Ziplist, Zipmap};
use store::{Container, FieldDeadline, Hash, Limits, Object};

use crate::form::Dialect;
use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::out::Out;
use crate::string;

/// Stands for no deadline in Valkey's form.
const NO_DEADLINE: i64 = -1;

/// Appends type and value; the lowest version that holds them.
pub fn write(hash: &Hash, out: &mut Out<'_>) -> u16 {
    if let Some(pack) = hash.pack() {
        out.head(types::HASH_LISTPACK);
        string::write_opaque(pack.as_bytes(), out);
        return format::VERSION_LISTPACK;
    }
    // What a large hash says is a lower bound, and may outlive the last deadline.
    let earliest = hash
        .part_deadline()
        .and_then(|_| hash.iter().filter_map(|field| field.deadline).min());
    if out.form().dialect() == Dialect::Valkey && earliest.is_some() {
        return write_for_valkey(hash, out);
    }
    if let (Some(pack), Some(earliest)) = (hash.timed_pack(), earliest) {
        out.head(types::HASH_LISTPACK_EX);
        out.extend(&earliest.to_le_bytes());
        string::write_opaque(pack.as_bytes(), out);
        return format::VERSION_FIELD_DEADLINES;
    }
    match earliest {
        Some(earliest) => {
            out.head(types::HASH_METADATA);
            out.extend(&earliest.to_le_bytes());
        }
        None => out.head(types::HASH),
    }
    length::write(hash.len(), out);
    for field in hash.iter() {
        if let Some(earliest) = earliest {
            let ttl = field.deadline.map_or(0, |at| at.abs_diff(earliest) + 1);
            length::write(ttl, out);
        }
        string::write_element(field.name, out);
        string::write_element(field.value, out);
    }
    match earliest {
        Some(_) => format::VERSION_FIELD_DEADLINES,
        None => format::VERSION_DUMP,
    }
}

fn write_for_valkey(hash: &Hash, out: &mut Out<'_>) -> u16 {
    out.head(types::HASH_VALKEY);
    length::write(hash.len(), out);
    for field in hash.iter() {
        string::write_element(field.name, out);
        string::write_element(field.value, out);
        out.extend(&field.deadline.unwrap_or(NO_DEADLINE).to_le_bytes());
    }
    format::VERSION_FIELD_DEADLINES_VALKEY
}

/// Whether type `number` of a payload or file of `version` is a hash.
#[must_use]
pub fn is_hash(number: u8, version: u16) -> bool {
    match number {
        types::HASH | types::HASH_ZIPMAP | types::HASH_ZIPLIST | types::HASH_LISTPACK => true,
        types::HASH_METADATA | types::HASH_LISTPACK_EX => !format::is_valkey(version),
        types::HASH_VALKEY => format::is_valkey(version),
        _ => false,
    }
}

/// Reads a hash that is written as type `number`.
///
/// # Errors
/// [`Malformed`].
pub fn read(number: u8, input: &mut Input<'_>, limits: &Limits) -> Result<Object, Malformed> {
    let mut hash = Building {
        hash: Hash::new(),
        limits,
    };
    match number {
        types::HASH_LISTPACK => {
            let pack = read_pack(input, 2)?;
            for [name, value] in pack.pairs() {
                hash.add(name.bytes(&mut [0; 20]), value.bytes(&mut [0; 20]), None)?;
            }
        }
        types::HASH_LISTPACK_EX => {
            input.array::<8>()?;
            let pack = read_pack(input, 3)?;
            for [name, value, deadline] in pack.chunks::<3>() {
                let deadline = deadline.int().ok_or(Malformed::Encoding)?;
                let deadline = (deadline != 0).then_some(deadline);
                hash.add(
                    name.bytes(&mut [0; 20]),
                    value.bytes(&mut [0; 20]),
                    deadline,
                )?;
            }
        }
        types::HASH_ZIPLIST => {
            let bytes = string::read_bytes(input)?;
            let list = Ziplist::read(&bytes).map_err(|_| Malformed::Encoding)?;
            if !list.len().is_multiple_of(2) {
                return Err(Malformed::Encoding);
            }
            let mut elements = list.iter();
            while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
                hash.add(name.bytes(&mut [0; 20]), value.bytes(&mut [0; 20]), None)?;
            }
        }
        types::HASH_ZIPMAP => {
            let bytes = string::read_bytes(input)?;
            let map = Zipmap::read(&bytes).map_err(|_| Malformed::Encoding)?;
            for (name, value) in map.iter() {
                hash.add(name, value, None)?;
            }
        }
        _ => read_fields(number, input, &mut hash)?,
    }
    if hash.hash.is_empty() {
        return Err(Malformed::Empty);
    }
    Ok(Object::Hash(hash.hash))
}

/// Reads a hash that is written field by field.
fn read_fields(
    number: u8,
    input: &mut Input<'_>,
    hash: &mut Building<'_>,
) -> Result<(), Malformed> {
    let earliest = match number {
        types::HASH_METADATA => i64::from_le_bytes(input.array()?),
        _ => 0,
    };
    let count = length::read_plain(input)?;
    if count > hash.limits.hash_max_listpack_entries {
        // Without passing through the small form.
        hash.hash.expect_many().map_err(|_| Malformed::Refused)?;
    }
    for _ in 0..count {
        let mut deadline = None;
        if number == types::HASH_METADATA {
            let ttl = length::read_plain(input)?;
            if let Some(behind) = ttl.checked_sub(1) {
                let at = earliest
                    .checked_add_unsigned(behind)
                    .ok_or(Malformed::Encoding)?;
                deadline = Some(at);
            }
        }
        let name = string::read_bytes(input)?;
        let value = string::read_bytes(input)?;
        if number == types::HASH_VALKEY {
            let at = i64::from_le_bytes(input.array()?);
            deadline = (at != NO_DEADLINE).then_some(at);
        }
        hash.add(&name, &value, deadline)?;
    }
    Ok(())
}

/// Reads a listpack whose entries come in groups of `group`.
fn read_pack(input: &mut Input<'_>, group: usize) -> Result<Listpack, Malformed> {
    let bytes = string::read_bytes(input)?.into_owned();
    let pack = Listpack::from_bytes(bytes).map_err(|_| Malformed::Encoding)?;
    if pack.len().is_multiple_of(group) {
        Ok(pack)
    } else {
        Err(Malformed::Encoding)
    }
}

/// A hash into which foreign fields are put, each by itself: their order, their deadlines and that
/// none comes twice are not believed.
struct Building<'l> {
    hash: Hash,
    limits: &'l Limits,
}

impl Building<'_> {
    fn add(&mut self, name: &[u8], value: &[u8], deadline: Option<i64>) -> Result<(), Malformed> {
        if deadline.is_some_and(|at| at < 1) {
            return Err(Malformed::Encoding);
        }
        let deadline = deadline.map_or(FieldDeadline::Clear, FieldDeadline::At);
        match self.hash.set(name, value, deadline, self.limits) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Malformed::Encoding),
            Err(_) => Err(Malformed::Refused),
        }
    }
}
