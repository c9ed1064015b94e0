//! Sets.
//!
//! ```text
//!   SET             count  string*          a large one
//!   SET_INTSET      string                  the intset's memory
//!   SET_LISTPACK    string                  the listpack's memory
//! ```
//!
//! A member that comes twice makes a foreign set malformed, as for Redis.

use collections::{Intset, Listpack};
use store::{Container, Limits, Object, Set};

use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::out::Out;
use crate::string;

/// Appends type and value; the lowest version that holds them.
pub fn write(set: &Set, out: &mut Out<'_>) -> u16 {
    if let Some(ints) = set.ints() {
        out.head(types::SET_INTSET);
        string::write_opaque(ints.as_bytes(), out);
        return format::VERSION_DUMP;
    }
    if let Some(pack) = set.pack()
        && out.form().has_set_listpacks()
    {
        out.head(types::SET_LISTPACK);
        string::write_opaque(pack.as_bytes(), out);
        return format::VERSION_SET_LISTPACK;
    }
    out.head(types::SET);
    length::write(set.len(), out);
    for member in set.iter() {
        string::write_element(member, out);
    }
    format::VERSION_DUMP
}

/// Reads a set that is written as type `number`.
///
/// # Errors
/// [`Malformed`].
pub fn read(number: u8, input: &mut Input<'_>, limits: &Limits) -> Result<Object, Malformed> {
    let set = match number {
        types::SET_INTSET => {
            let bytes = string::read_bytes(input)?.into_owned();
            let ints = Intset::from_bytes(bytes).map_err(|_| Malformed::Encoding)?;
            let mut set = Set::of_ints(ints);
            set.expect_more(set.len(), limits)
                .map_err(|_| Malformed::Refused)?;
            set
        }
        types::SET_LISTPACK => {
            let bytes = string::read_bytes(input)?.into_owned();
            let pack = Listpack::from_bytes(bytes).map_err(|_| Malformed::Encoding)?;
            // Foreign bytes may hold a member twice: each is put in by itself.
            let members = pack.iter().map(|member| member.to_vec());
            from_members(pack.len() as u64, members.map(Ok), limits)?
        }
        _ => {
            let count = length::read_plain(input)?;
            let members = (0..count).map(|_| string::read_bytes(input));
            from_members(count, members, limits)?
        }
    };
    if set.is_empty() {
        return Err(Malformed::Empty);
    }
    Ok(Object::Set(set))
}

fn from_members<B: AsRef<[u8]>>(
    count: u64,
    members: impl Iterator<Item = Result<B, Malformed>>,
    limits: &Limits,
) -> Result<Set, Malformed> {
    let mut set: Option<Set> = None;
    for member in members {
        let member = member?;
        let member = member.as_ref();
        let set = set.get_or_insert_with(|| Set::for_members(member, count, limits));
        if !set.add(member, limits).map_err(|_| Malformed::Refused)? {
            return Err(Malformed::Encoding);
        }
    }
    set.ok_or(Malformed::Empty)
}
