//! Places on the earth: members of a sorted set whose score is a cell of 52 bits.
//!
//! | file | commands |
//! |---|---|
//! | `add.rs` | GEOADD |
//! | `ask.rs` | GEODIST, GEOHASH, GEOPOS |
//! | `search.rs` | GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and their _RO forms; what their words say is read in `query.rs` |
//!
//! `cell.rs` turns places into cells and back, `shape.rs` measures, `cover.rs` finds the cells that a
//! search has to look at.

mod add;
mod ask;
mod cell;
mod cover;
mod query;
mod search;
mod shape;

use resp::Reply;

use crate::CommandError;
use crate::args::{float, is};
use crate::spec::CommandSpec;
use cell::Place;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &add::GEOADD,
    &ask::GEODIST,
    &ask::GEOHASH,
    &ask::GEOPOS,
    &search::GEORADIUS,
    &search::GEORADIUSBYMEMBER,
    &search::GEORADIUSBYMEMBER_RO,
    &search::GEORADIUS_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];

/// Reads a longitude and a latitude.
fn place(longitude: &[u8], latitude: &[u8]) -> Result<Place, CommandError> {
    let place = Place {
        longitude: float(longitude)?,
        latitude: float(latitude)?,
    };
    if place.is_on_map() {
        return Ok(place);
    }
    Err(CommandError::Text(
        format!(
            "ERR invalid longitude,latitude pair {:.6},{:.6}",
            place.longitude, place.latitude
        )
        .into(),
    ))
}

/// A unit of length, in metres.
fn unit(word: &[u8]) -> Result<f64, CommandError> {
    [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)]
        .into_iter()
        .find_map(|(name, metres)| is(word, name).then_some(metres))
        .ok_or(CommandError::Fixed(
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        ))
}

/// Says a place.
fn write_place(place: Place, reply: &mut Reply) {
    reply.array(2);
    reply.double(place.longitude);
    reply.double(place.latitude);
}

/// Says a distance: four decimals, in RESP3 a string too.
fn write_distance(distance: f64, reply: &mut Reply) {
    // Rounded as a whole number, halves to even.
    let parts = (distance * 10_000.0).round_ties_even() as i64;
    let text = format!("{}.{:04}", parts / 10_000, parts % 10_000);
    reply.bulk(text.as_bytes());
}
