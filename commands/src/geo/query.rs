//! What the words of a search say. They are read in Redis's order, which looks the source up first:
//! a member that is to be the centre is looked for as soon as it is named.

use store::SortedSet;

use super::cell::Place;
use super::shape::{Shape, middle};
use super::{place, unit};
use crate::args::{Words, float_or, integer, is};
use crate::{Call, CommandError};

/// Which command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// GEORADIUS; `true`: it may store.
    Radius(bool),
    /// GEORADIUSBYMEMBER; likewise.
    RadiusByMember(bool),
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

/// In which order finds are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are found.
    Any,
    Nearest,
    Farthest,
}

/// A search.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Nowhere if the source does not exist.
    pub(super) centre: Option<Place>,
    pub(super) shape: Option<Shape>,
    /// The unit of distances, in metres.
    pub(super) unit: f64,
    pub(super) order: Order,
    pub(super) count: Option<u64>,
    /// Whether the first finds will do, instead of the nearest.
    pub(super) any: bool,
    pub(super) with_coord: bool,
    pub(super) with_dist: bool,
    pub(super) with_hash: bool,
    /// The word that names the destination.
    pub(super) store: Option<usize>,
    /// Whether distances are stored instead of cells.
    pub(super) store_dist: bool,
}

/// What GEOSEARCH has been told about centre and shape.
#[derive(Default)]
struct Said {
    from_member: bool,
    from_place: bool,
    by_radius: bool,
    by_box: bool,
    by_polygon: bool,
}

impl Query {
    /// Reads the words of `call`, whose source is `set`.
    pub(super) fn parse(
        call: &Call<'_, '_>,
        set: Option<&SortedSet>,
        form: Form,
    ) -> Result<Query, CommandError> {
        let mut query = Query {
            centre: None,
            shape: None,
            unit: 1.0,
            order: Order::Any,
            count: None,
            any: false,
            with_coord: false,
            with_dist: false,
            with_hash: false,
            store: None,
            store_dist: false,
        };
        let args = call.args;
        let options = match form {
            Form::Radius(_) => {
                query.centre = Some(place(args.get(2), args.get(3))?);
                query.take_radius(args.get(4), args.get(5))?;
                6
            }
            Form::RadiusByMember(_) => {
                // Without a source Redis does not read the radius.
                if let Some(set) = set {
                    query.centre = Some(place_of(set, args.get(2))?);
                    query.take_radius(args.get(3), args.get(4))?;
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => {
                query.store = Some(1);
                3
            }
        };
        query.take_options(call, set, form, options)?;
        Ok(query)
    }

    fn take_options(
        &mut self,
        call: &Call<'_, '_>,
        set: Option<&SortedSet>,
        form: Form,
        from: usize,
    ) -> Result<(), CommandError> {
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        let may_store = matches!(form, Form::Radius(true) | Form::RadiusByMember(true));
        let mut said = Said::default();
        let mut words = Words::from(call.args, from);
        while let Some(word) = words.next() {
            let left = words.left();
            if is(word, "WITHDIST") {
                self.with_dist = true;
            } else if is(word, "WITHHASH") {
                self.with_hash = true;
            } else if is(word, "WITHCOORD") {
                self.with_coord = true;
            } else if is(word, "ANY") {
                self.any = true;
            } else if is(word, "ASC") {
                self.order = Order::Nearest;
            } else if is(word, "DESC") {
                self.order = Order::Farthest;
            } else if is(word, "COUNT") && left >= 1 {
                let count = integer(words.value()?)?;
                let count = u64::try_from(count).ok().filter(|count| *count > 0);
                self.count = Some(count.ok_or(CommandError::Fixed("ERR COUNT must be > 0"))?);
            } else if may_store && is(word, "STORE") && left >= 1 {
                self.store = Some(call.args.len() - left);
                self.store_dist = false;
                words.next();
            } else if may_store && is(word, "STOREDIST") && left >= 1 {
                self.store = Some(call.args.len() - left);
                self.store_dist = true;
                words.next();
            } else if form == Form::SearchStore && is(word, "STOREDIST") {
                self.store_dist = true;
            } else if !(is_search && self.take_where(word, &mut words, set, &mut said)?) {
                return Err(CommandError::Syntax);
            }
        }
        self.check(call, form, &said)
    }

    /// Takes a word that says where GEOSEARCH searches, if it is one that may still be said.
    fn take_where(
        &mut self,
        word: &[u8],
        words: &mut Words<'_>,
        set: Option<&SortedSet>,
        said: &mut Said,
    ) -> Result<bool, CommandError> {
        let left = words.left();
        let is_from = said.from_member || said.from_place;
        if is(word, "FROMMEMBER") && left >= 1 && !said.from_place && !said.by_polygon {
            said.from_member = true;
            let member = words.value()?;
            if let Some(set) = set {
                self.centre = Some(place_of(set, member)?);
            }
        } else if is(word, "FROMLONLAT") && left >= 2 && !said.from_member && !said.by_polygon {
            said.from_place = true;
            self.centre = Some(place(words.value()?, words.value()?)?);
        } else if is(word, "BYRADIUS") && left >= 2 && !said.by_box && !said.by_polygon {
            said.by_radius = true;
            self.take_radius(words.value()?, words.value()?)?;
        } else if is(word, "BYBOX") && left >= 3 && !said.by_radius && !said.by_polygon {
            said.by_box = true;
            self.take_box(words)?;
        } else if is(word, "BYPOLYGON") && left >= 1 && !is_from && !said.by_radius && !said.by_box
        {
            said.by_polygon = true;
            self.take_polygon(words)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn take_radius(&mut self, radius: &[u8], word: &[u8]) -> Result<(), CommandError> {
        let radius = float_or(radius, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(CommandError::Fixed("ERR radius cannot be negative"));
        }
        self.unit = unit(word)?;
        self.shape = Some(Shape::Circle(radius * self.unit));
        Ok(())
    }

    fn take_box(&mut self, words: &mut Words<'_>) -> Result<(), CommandError> {
        let width = float_or(words.value()?, "ERR need numeric width")?;
        let height = float_or(words.value()?, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::Fixed(
                "ERR height or width cannot be negative",
            ));
        }
        self.unit = unit(words.value()?)?;
        self.shape = Some(Shape::Box {
            width: width * self.unit,
            height: height * self.unit,
        });
        Ok(())
    }

    fn take_polygon(&mut self, words: &mut Words<'_>) -> Result<(), CommandError> {
        let count = integer(words.value()?)
            .map_err(|_| CommandError::Fixed("ERR invalid number of vertices"))?;
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count >= 3 && *count <= words.left() / 2);
        let count = count.ok_or(CommandError::Fixed(
            "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
        ))?;
        let corners = (0..count).map(|_| place(words.value()?, words.value()?));
        let corners = corners.collect::<Result<Vec<_>, _>>()?;
        self.unit = 1.0;
        self.centre = Some(middle(&corners));
        self.shape = Some(Shape::Polygon(corners));
        Ok(())
    }

    /// Whether all that was said fits together.
    fn check(&self, call: &Call<'_, '_>, form: Form, said: &Said) -> Result<(), CommandError> {
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        if self.store.is_some() && (self.with_coord || self.with_dist || self.with_hash) {
            return Err(CommandError::Fixed(if is_search {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }));
        }
        let missing = if !is_search || said.by_polygon {
            None
        } else if !said.from_member && !said.from_place {
            Some("FROMMEMBER or FROMLONLAT")
        } else if !said.by_radius && !said.by_box {
            Some("BYRADIUS and BYBOX")
        } else {
            None
        };
        if let Some(missing) = missing {
            let name = String::from_utf8_lossy(call.args.get(0));
            let text = format!("ERR exactly one of {missing} can be specified for {name}");
            return Err(CommandError::Text(text.into()));
        }
        if self.any && self.count.is_none() {
            return Err(CommandError::Fixed(
                "ERR the ANY argument requires COUNT argument",
            ));
        }
        Ok(())
    }
}

fn place_of(set: &SortedSet, member: &[u8]) -> Result<Place, CommandError> {
    set.score(member)
        .map(Place::of_score)
        .ok_or(CommandError::Fixed(
            "ERR could not decode requested zset member",
        ))
}
