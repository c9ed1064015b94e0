//! Distances, and what lies within a shape. The earth is a ball here.

use super::cell::Place;

/// The quadratic mean of the earth's radii, in metres.
pub(super) const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// What is searched.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// All within so many metres of the centre.
    Circle(f64),
    /// All within half a width of it along its parallel, and half a height along its meridian.
    Box { width: f64, height: f64 },
    /// All within straight lines on the map.
    Polygon(Vec<Place>),
}

/// Degrees as an angle.
pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

/// The distance of two places, in metres: the haversine formula. The order of its steps is Redis's,
/// so that the last digit is too.
pub(super) fn distance(one: Place, other: Place) -> f64 {
    let (east_1, east_2) = (radians(one.longitude), radians(other.longitude));
    let v = ((east_2 - east_1) / 2.0).sin();
    if v == 0.0 {
        return along_meridian(one.latitude, other.latitude);
    }
    let (north_1, north_2) = (radians(one.latitude), radians(other.latitude));
    let u = ((north_2 - north_1) / 2.0).sin();
    let a = u * u + north_1.cos() * north_2.cos() * v * v;
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

fn along_meridian(latitude: f64, other: f64) -> f64 {
    EARTH_RADIUS * (radians(other) - radians(latitude)).abs()
}

impl Shape {
    /// How far a place is from the centre, if it lies within.
    pub(super) fn reach(&self, centre: Place, place: Place) -> Option<f64> {
        match self {
            Shape::Circle(radius) => {
                let distance = distance(centre, place);
                (distance <= *radius).then_some(distance)
            }
            Shape::Box { width, height } => {
                if along_meridian(place.latitude, centre.latitude) > height / 2.0 {
                    return None;
                }
                let beside = Place {
                    latitude: place.latitude,
                    ..centre
                };
                if distance(place, beside) > width / 2.0 {
                    return None;
                }
                Some(distance(centre, place))
            }
            Shape::Polygon(corners) => is_within(place, corners).then(|| distance(centre, place)),
        }
    }
}

/// Whether a ray from the place eastwards crosses an odd number of sides.
fn is_within(place: Place, corners: &[Place]) -> bool {
    let before = corners.iter().skip(corners.len() - 1);
    let sides = before.chain(corners).zip(corners);
    let crosses = |(from, to): &(&Place, &Place)| {
        let (above, below) = (to.latitude > place.latitude, from.latitude > place.latitude);
        let slope = (from.longitude - to.longitude) / (from.latitude - to.latitude);
        above != below && place.longitude < slope * (place.latitude - to.latitude) + to.longitude
    };
    sides.filter(crosses).count() % 2 == 1
}

/// The middle of a polygon's corners, as points in space: what distances are measured from.
pub(super) fn middle(corners: &[Place]) -> Place {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for corner in corners {
        let (north, east) = (radians(corner.latitude), radians(corner.longitude));
        x += north.cos() * east.cos();
        y += north.cos() * east.sin();
        z += north.sin();
    }
    Place {
        longitude: y.atan2(x).to_degrees(),
        latitude: z.atan2(x.hypot(y)).to_degrees(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(longitude: f64, latitude: f64) -> Place {
        Place {
            longitude,
            latitude,
        }
    }

    #[test]
    fn a_distance_as_redis_has_it() {
        let (palermo, catania) = (
            Place::of_score(3_479_099_956_230_698.0),
            Place::of_score(3_479_447_370_796_909.0),
        );
        let metres = distance(palermo, catania);
        assert_eq!(format!("{metres:.4}"), "166274.1516");
        assert_eq!(distance(palermo, palermo), 0.0);
    }

    #[test]
    fn within_a_polygon() {
        let corners = [place(0.0, 0.0), place(4.0, 0.0), place(0.0, 4.0)];
        assert!(is_within(place(1.0, 1.0), &corners));
        assert!(!is_within(place(3.0, 3.0), &corners));
        assert!(!is_within(place(-1.0, 1.0), &corners));
    }
}
