//! Places and the cells in which they lie.
//!
//! ```text
//!   longitude  -180        ..  180            each cut in halves, `step` times; the halves' bits,
//!   latitude    -85.05112878 .. 85.05112878   longitude's and latitude's in turn, are the cell
//!
//!   bits  .. lon lat lon lat                  step 26: 52 bits, which a score holds exactly
//! ```
//!
//! A cell of fewer steps is the beginning of all that lie in it, so it is one range of scores. The
//! limits of latitude are those of the square map of web Mercator.
//!
//! Source: Gustavo Niemeyer's geohash, with the ranges that Redis takes.

/// The steps of a member's cell.
pub(super) const STEPS_MAX: u32 = 26;
const LONGITUDE_MAX: f64 = 180.0;
const LATITUDE_MAX: f64 = 85.051_128_78;
/// The bits of latitude; those of longitude stand above them.
const NORTH: u64 = 0x5555_5555_5555_5555;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) steps: u32,
}

/// What lies in a cell, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Place {
    /// Whether it can be a member's. Not a number is nowhere.
    pub(super) fn is_on_map(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The middle of the cell that a score is.
    pub(super) fn of_score(score: f64) -> Place {
        // What is no cell (a score that ZADD has given) is cut off at both ends, as a cast does.
        let cell = Cell {
            bits: score as u64,
            steps: STEPS_MAX,
        };
        let area = cell.area();
        let middle = |low: f64, high: f64, max: f64| ((low + high) / 2.0).clamp(-max, max);
        Place {
            longitude: middle(area.west, area.east, LONGITUDE_MAX),
            latitude: middle(area.south, area.north, LATITUDE_MAX),
        }
    }

    /// The score of a member here.
    pub(super) fn score(self) -> f64 {
        Cell::of(self, STEPS_MAX).bits as f64
    }

    /// The eleven characters of its geohash. Those are of the whole globe, not of our map, and 52
    /// bits suffice for ten; the last one is always 0.
    pub(super) fn geohash(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::within(self, STEPS_MAX, 90.0).bits;
        let mut text = [ALPHABET[0]; 11];
        for (at, character) in text[..10].iter_mut().enumerate() {
            let index = bits >> (52 - (at + 1) * 5) & 31;
            *character = ALPHABET[index as usize];
        }
        text
    }
}

impl Cell {
    /// The cell of a place.
    pub(super) fn of(place: Place, steps: u32) -> Cell {
        Cell::within(place, steps, LATITUDE_MAX)
    }

    fn within(place: Place, steps: u32, latitude_max: f64) -> Cell {
        let part = |degrees: f64, max: f64| {
            let offset = (degrees + max) / (max + max);
            (offset * (1_u64 << steps) as f64) as u32
        };
        let north = part(place.latitude, latitude_max);
        let east = part(place.longitude, LONGITUDE_MAX);
        let bits = spread(north) | spread(east) << 1;
        Cell { bits, steps }
    }

    pub(super) fn area(self) -> Area {
        let (north, east) = (gather(self.bits), gather(self.bits >> 1));
        let degrees =
            |part: u64, max: f64| -max + (part as f64 / (1_u64 << self.steps) as f64) * (max + max);
        let (north, east) = (u64::from(north), u64::from(east));
        Area {
            west: degrees(east, LONGITUDE_MAX),
            east: degrees(east + 1, LONGITUDE_MAX),
            south: degrees(north, LATITUDE_MAX),
            north: degrees(north + 1, LATITUDE_MAX),
        }
    }

    /// The scores of what lies in it: the first, and the first that does not.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 52 - self.steps * 2;
        let first = self.bits << shift;
        let behind = (self.bits + 1) << shift;
        (first as f64, behind as f64)
    }

    /// The cell so many to the east and to the north (-1, 0, 1), around the globe and, as Redis has
    /// it, over the poles' edges too.
    pub(super) fn beside(self, east: i64, north: i64) -> Cell {
        let moved = |part: u64, by: i64| {
            let part_max = (1_u64 << self.steps) - 1;
            u64::from(gather(part)).wrapping_add_signed(by) & part_max
        };
        let (north, east) = (moved(self.bits, north), moved(self.bits >> 1, east));
        let bits = spread(north as u32) | spread(east as u32) << 1;
        Cell {
            bits,
            steps: self.steps,
        }
    }
}

/// Puts a zero before each bit.
fn spread(part: u32) -> u64 {
    let mut bits = u64::from(part);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, NORTH),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes every other bit, the lowest one first: what `spread` has spread.
fn gather(bits: u64) -> u32 {
    let mut part = bits & NORTH;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        part = (part | part >> shift) & mask;
    }
    part as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_spread_and_gathered() {
        for part in [0, 1, 2, 0x1234_5678, u32::MAX] {
            assert_eq!(gather(spread(part)), part);
            assert_eq!(gather(spread(part) << 1 >> 1), part);
        }
        assert_eq!(spread(0b1011), 0b0100_0101);
    }

    /// Figures of Redis 8.0.
    #[test]
    fn cells_as_redis_has_them() {
        for (longitude, latitude, score, geohash) in [
            (
                13.361_389,
                38.115_556,
                3_479_099_956_230_698.0,
                "sqc8b49rny0",
            ),
            (
                15.087_269,
                37.502_669,
                3_479_447_370_796_909.0,
                "sqdtr74hyu0",
            ),
        ] {
            let place = Place {
                longitude,
                latitude,
            };
            assert_eq!(place.score(), score);
            let text = Place::of_score(score).geohash();
            assert_eq!(std::str::from_utf8(&text), Ok(geohash));
        }
    }

    #[test]
    fn neighbours_go_round() {
        let cell = Cell { bits: 0, steps: 2 };
        let there = cell.beside(1, 1);
        assert_eq!(there.bits, 0b11);
        assert_eq!(there.beside(-1, -1), cell);
        let around = cell.beside(-1, 0);
        assert_eq!(around.bits, 0b1010);
        assert_eq!(around.beside(1, 0), cell);
        assert_eq!(cell.beside(0, -1).bits, 0b0101);
    }
}
