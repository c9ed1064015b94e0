//! Which cells a search looks at: the one in which the centre lies, as large as the search's reach,
//! and those of its eight neighbours that the search may touch.
//!
//! The order of the cells is Redis's, since a search without an order shows its finds cell by cell.

use super::cell::{Area, Cell, Place, STEPS_MAX};
use super::shape::{EARTH_RADIUS, Shape, distance, radians};

/// Half the length of the equator, on the map.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// East and north of a cell's neighbours, the cell itself first.
const AROUND: [(i64, i64); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// The cells that hold all of what a search may find.
pub(super) fn cover(shape: &Shape, centre: Place) -> Vec<Cell> {
    let bounds = bounds(shape, centre);
    let mut steps = steps(reach(shape, centre), centre.latitude);
    let is_too_small = |cell: Cell| {
        let beside = |east, north| cell.beside(east, north).area();
        beside(0, 1).north < bounds.north
            || beside(0, -1).south > bounds.south
            || beside(1, 0).east < bounds.east
            || beside(-1, 0).west > bounds.west
    };
    if steps > 1 && is_too_small(Cell::of(centre, steps)) {
        steps -= 1;
    }
    let cell = Cell::of(centre, steps);
    let area = cell.area();
    let is_touched = |(east, north): (i64, i64)| {
        // Cells of a quarter of the map meet themselves on its other side.
        steps < 2
            || !(north < 0 && area.south < bounds.south
                || north > 0 && area.north > bounds.north
                || east < 0 && area.west < bounds.west
                || east > 0 && area.east > bounds.east)
    };
    let mut cells: Vec<Cell> = Vec::new();
    for at in AROUND.into_iter().filter(|at| is_touched(*at)) {
        let found = cell.beside(at.0, at.1);
        // On a large search neighbours of both sides are the same cell; they follow one another.
        if cells.len() < 2 || cells.last() != Some(&found) {
            cells.push(found);
        }
    }
    cells
}

/// The distance from the centre to the farthest point, in metres.
fn reach(shape: &Shape, centre: Place) -> f64 {
    match shape {
        Shape::Circle(radius) => *radius,
        Shape::Box { width, height } => {
            let (width, height) = (width / 2.0, height / 2.0);
            (width * width + height * height).sqrt()
        }
        Shape::Polygon(corners) => corners
            .iter()
            .map(|corner| distance(centre, *corner))
            .fold(0.0, f64::max),
    }
}

/// What the shape may touch. A parallel's degree is shorter nearer to the pole.
fn bounds(shape: &Shape, centre: Place) -> Area {
    let (width, height) = match shape {
        Shape::Circle(radius) => (*radius, *radius),
        Shape::Box { width, height } => (width / 2.0, height / 2.0),
        Shape::Polygon(corners) => return bounds_of(corners),
    };
    let degrees = |angle: f64| angle / radians(1.0);
    let north = degrees(height / EARTH_RADIUS);
    let edge = if centre.latitude < 0.0 {
        centre.latitude - north
    } else {
        centre.latitude + north
    };
    let east = degrees(width / EARTH_RADIUS / radians(edge).cos());
    Area {
        west: centre.longitude - east,
        east: centre.longitude + east,
        south: centre.latitude - north,
        north: centre.latitude + north,
    }
}

fn bounds_of(corners: &[Place]) -> Area {
    let least = |part: fn(&Place) -> f64| corners.iter().map(part).fold(f64::INFINITY, f64::min);
    let most = |part: fn(&Place) -> f64| corners.iter().map(part).fold(f64::NEG_INFINITY, f64::max);
    Area {
        west: least(|corner| corner.longitude),
        east: most(|corner| corner.longitude),
        south: least(|corner| corner.latitude),
        north: most(|corner| corner.latitude),
    }
}

/// The steps of a cell about as large as the reach; fewer near the poles.
fn steps(reach: f64, latitude: f64) -> u32 {
    if reach == 0.0 {
        return STEPS_MAX;
    }
    let (mut steps, mut size) = (1_i32, reach);
    while size < MERCATOR_MAX {
        size *= 2.0;
        steps += 1;
    }
    steps -= 2;
    if latitude.abs() > 66.0 {
        steps -= 1;
    }
    if latitude.abs() > 80.0 {
        steps -= 1;
    }
    steps.clamp(1, 26).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_differ_and_are_few() {
        for (radius, latitude) in [
            (0.0, 0.0),
            (1.0, 89.0),
            (1e5, 38.0),
            (1e7, -70.0),
            (1e9, 10.0),
        ] {
            let centre = Place {
                longitude: 15.0,
                latitude: f64::min(latitude, 85.0),
            };
            let cells = cover(&Shape::Circle(radius), centre);
            assert!((1..=9).contains(&cells.len()), "{radius}");
            assert!(cells[1..].windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
