//! Lists.
//!
//! ```text
//!   LIST               count  string*                         element by element
//!   LIST_ZIPLIST       string                                 one ziplist's memory
//!   LIST_QUICKLIST     count  string*                         ziplists' memory
//!   LIST_QUICKLIST_2   count  ( PLAIN string | PACKED string )*   an element, or a listpack's memory
//! ```
//!
//! The last is what we write, as Redis 7 does for lists of any size. A part that holds nothing is left
//! out, and a list of nothing is malformed.

use collections::Listpack;
use collections::listpack::Ziplist;
use store::{Container, Limits, List, ListEnd, ListPart, Object};

use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::out::Out;
use crate::string;

const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Appends type and value; the lowest version that holds them.
pub fn write(list: &List, out: &mut Out<'_>) -> u16 {
    out.head(types::LIST_QUICKLIST_2);
    length::write(list.part_count() as u64, out);
    for part in list.parts() {
        let (form, bytes) = match part {
            ListPart::Plain(bytes) => (PLAIN, bytes),
            ListPart::Pack(pack) => (PACKED, pack.as_bytes()),
        };
        length::write(form, out);
        string::write_opaque(bytes, out);
    }
    format::VERSION_LISTPACK
}

/// Reads a list that is written as type `number`.
///
/// # Errors
/// [`Malformed`].
pub fn read(number: u8, input: &mut Input<'_>, limits: &Limits) -> Result<Object, Malformed> {
    let mut list = List::new();
    match number {
        types::LIST_ZIPLIST => list.push_pack(read_ziplist(input)?),
        types::LIST_QUICKLIST => {
            for _ in 0..length::read_plain(input)? {
                list.push_pack(read_ziplist(input)?);
            }
        }
        types::LIST_QUICKLIST_2 => {
            for _ in 0..length::read_plain(input)? {
                let form = length::read_plain(input)?;
                let bytes = string::read_bytes(input)?.into_owned();
                match form {
                    PLAIN => list.push_plain(bytes),
                    PACKED => {
                        let pack = Listpack::from_bytes(bytes);
                        list.push_pack(pack.map_err(|_| Malformed::Encoding)?);
                    }
                    _ => return Err(Malformed::Encoding),
                }
            }
        }
        _ => {
            let limits = limits.list();
            for _ in 0..length::read_plain(input)? {
                let element = string::read_bytes(input)?;
                list.expect_more(1, element.len(), limits)
                    .and_then(|()| list.push(ListEnd::Right, &element, limits))
                    .map_err(|_| Malformed::Refused)?;
            }
        }
    }
    if list.is_empty() {
        return Err(Malformed::Empty);
    }
    list.settle(limits.list());
    Ok(Object::List(list))
}

fn read_ziplist(input: &mut Input<'_>) -> Result<Listpack, Malformed> {
    let bytes = string::read_bytes(input)?;
    let list = Ziplist::read(&bytes).map_err(|_| Malformed::Encoding)?;
    list.to_listpack().map_err(|_| Malformed::Refused)
}
