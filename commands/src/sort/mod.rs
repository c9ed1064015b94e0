//! SORT, SORT_RO: the elements of a list, set or sorted set in another order, or what their names
//! lead to.
//!
//! ```text
//!   SORT ids BY weight_* GET name_* GET # STORE out
//!         │      │            │              └── a list of what GET has found, in place of what was there
//!         │      │            └── for each element: the string under "name_<element>", and itself
//!         │      └── its weight: the string under "weight_<element>", 0 if there is none
//!         └── elements
//! ```
//!
//! What a pattern leads to is known only when an element has been read, so a request with one asks for
//! all locks (`Locks::UnlessPattern`). Without, the value is pinned and sorted after unlocking, if it
//! is long.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | rows, options, where the result goes |
//! | `pattern.rs` | from a pattern and an element to a string |
//! | `order.rs` | weights and the order by them |

mod order;
mod pattern;

use resp::{Args, Reply};
use store::{Container, EventClass, List, ListEnd, Object, Refused, ValueRef};

use crate::args::{Words, integer, is};
use crate::spec::{
    Acl, Arity, Begin, CommandSpec, Find, Flags, Group, KeyAt, KeyFlags, Keys, Locks, LogForm,
};
use crate::{Call, CommandError, LONG_BYTES_MIN};
use order::Order;
use pattern::Pattern;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[&SORT, &SORT_RO];

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
/// [STORE destination]
pub(super) const SORT: CommandSpec = CommandSpec {
    name: "sort",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[
        KeyAt::read(1),
        KeyAt {
            begin: Begin::Keyword {
                // The last one counts.
                word: "STORE",
                from: -2,
            },
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            access: KeyFlags::OW.or(KeyFlags::UPDATE),
        },
    ]),
    locks: Locks::UnlessPattern,
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::MOVABLE_KEYS),
    acl: Acl::SET
        .or(Acl::SORTED_SET)
        .or(Acl::LIST)
        .or(Acl::WRITE)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::Verbatim,
    group: Group::Generic,
    since: "1.0.0",
    summary: "Sorts the elements of a list, a set or a sorted set, and may store the result.",
    complexity: "O(N + M log M) for N elements of which M are shown.",
    syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] \
             [ASC | DESC] [ALPHA] [STORE destination]",
    ..CommandSpec::row(sort)
};

fn sort(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    run(call, true)
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
pub(super) const SORT_RO: CommandSpec = CommandSpec {
    name: "sort_ro",
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::MOVABLE_KEYS),
    acl: Acl::SET
        .or(Acl::SORTED_SET)
        .or(Acl::LIST)
        .or(Acl::READ)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::None,
    since: "7.0.0",
    summary: "Sorts the elements of a list, a set or a sorted set.",
    syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] \
             [ASC | DESC] [ALPHA]",
    run: sort_ro,
    ..SORT
};

fn sort_ro(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    run(call, false)
}

/// Whether a request names keys by a pattern, or in a way that the row cannot tell (a pattern that reads
/// STORE).
pub(crate) fn names_keys_by_pattern(args: Args<'_>) -> bool {
    let mut stores = 0;
    for at in 2..args.len() {
        let word = args.get(at);
        stores += u32::from(is(word, "STORE"));
        let by_pattern = is(word, "BY") || is(word, "GET");
        if by_pattern && args.try_get(at + 1).is_some_and(pattern::leads_to_keys) {
            return true;
        }
    }
    stores > 1
}

/// What is asked for.
struct Wanted<'a> {
    order: Order<'a>,
    offset: i64,
    count: i64,
    get: Vec<Pattern<'a>>,
    store: Option<usize>,
}

impl<'a> Wanted<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Wanted<'a>, CommandError> {
        let mut wanted = Wanted {
            order: Order::default(),
            offset: 0,
            count: -1,
            get: Vec::new(),
            store: None,
        };
        let mut words = Words::from(args, 2);
        while let Some(word) = words.next() {
            if is(word, "ASC") {
                wanted.order.descends = false;
            } else if is(word, "DESC") {
                wanted.order.descends = true;
            } else if is(word, "ALPHA") {
                wanted.order.by_bytes = true;
            } else if is(word, "LIMIT") && words.left() >= 2 {
                (wanted.offset, wanted.count) =
                    (integer(words.value()?)?, integer(words.value()?)?);
            } else if may_store && is(word, "STORE") {
                words.value()?;
                wanted.store = Some(args.len() - words.left() - 1);
            } else if is(word, "BY") {
                wanted.order.by = Some(Pattern::of(words.value()?));
            } else if is(word, "GET") {
                wanted.get.push(Pattern::of(words.value()?));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(wanted)
    }

    /// The rows that are shown, of `len`.
    fn rows(&self, len: usize) -> std::ops::Range<usize> {
        let clamp = |n: i64| usize::try_from(n.max(0)).map_or(len, |n| n.min(len));
        let start = clamp(self.offset);
        let end = match self.count {
            ..0 => len,
            count => len.min(start + clamp(count)),
        };
        start..end
    }

    /// Whether other keys are looked at.
    fn leads_elsewhere(&self) -> bool {
        let mut patterns = self.order.by.iter().chain(&self.get);
        patterns.any(|pattern| pattern.leads_to_a_key())
    }
}

fn run(call: &mut Call<'_, '_>, may_store: bool) -> Result<(), CommandError> {
    let mut wanted = Wanted::parse(call.args, may_store)?;
    let key = call.key(1);
    let pinned = match call.unit.read(key) {
        None => None,
        Some(entry) => match entry.value() {
            ValueRef::String(_) => return Err(CommandError::WrongType),
            ValueRef::Object(object) => Some(std::sync::Arc::clone(object)),
        },
    };
    let object = match &pinned {
        Some(object) if !is_sortable(object) => return Err(CommandError::WrongType),
        Some(object) => Some(&**object),
        None => None,
    };
    let is_set = matches!(object, Some(Object::Set(_)));
    if is_set && wanted.store.is_some() && wanted.order.is_none() {
        // A set has no order of its own, and what is stored has to be the same everywhere.
        wanted.order.by = None;
        wanted.order.by_bytes = true;
    }
    if let Some(destination) = wanted.store {
        return store(call, &wanted, object, destination);
    }
    let is_long = object.is_some_and(|object| {
        object.len() >= LONG_LEN_MIN || object.memory_bytes() >= LONG_BYTES_MIN
    });
    if let Some(object) = &pinned
        && is_long
        && !wanted.leads_elsewhere()
    {
        // Nothing but the value is looked at, so nothing has to stay locked.
        let (object, args) = (std::sync::Arc::clone(object), call.args.try_to_owned());
        let args = args.ok_or(CommandError::Refused)?;
        return call.later(move |reply| {
            let wanted = Wanted::parse(args.as_args(), may_store)?;
            let shown = select(None, &wanted, Some(&object))?;
            write(&shown, reply);
            Ok(())
        });
    }
    let shown = select(Some(call), &wanted, object)?;
    write(&shown, call.reply);
    Ok(())
}

/// From so many elements on the work is done after unlocking.
const LONG_LEN_MIN: u64 = 1_000;

fn is_sortable(object: &Object) -> bool {
    matches!(
        object,
        Object::List(_) | Object::Set(_) | Object::SortedSet(_)
    )
}

/// What is shown: strings, or nothing where a pattern has led to none.
type Shown = Vec<Option<Vec<u8>>>;

/// Sorts and looks up. Without a call no pattern leads to a key.
fn select(
    mut call: Option<&mut Call<'_, '_>>,
    wanted: &Wanted<'_>,
    object: Option<&Object>,
) -> Result<Shown, CommandError> {
    let elements = match object {
        Some(object) => elements(object)?,
        None => Vec::new(),
    };
    let rows = wanted.rows(elements.len());
    let sorted = wanted.order.sort(elements, call.as_deref_mut())?;
    let mut shown = Vec::new();
    let per_row = wanted.get.len().max(1);
    shown
        .try_reserve_exact(rows.len().saturating_mul(per_row))
        .map_err(|_| Refused)?;
    for element in sorted.into_iter().skip(rows.start).take(rows.len()) {
        if wanted.get.is_empty() {
            shown.push(Some(element));
            continue;
        }
        for pattern in &wanted.get {
            shown.push(pattern.find(&element, call.as_deref_mut()));
        }
    }
    Ok(shown)
}

/// Copies of all elements, in the order of the container.
fn elements(object: &Object) -> Result<Vec<Vec<u8>>, CommandError> {
    let len = usize::try_from(object.len()).map_err(|_| Refused)?;
    let mut elements = Vec::new();
    elements.try_reserve_exact(len).map_err(|_| Refused)?;
    match object {
        Object::List(list) => elements.extend(list.iter().map(|element| element.to_vec())),
        Object::Set(set) => elements.extend(set.iter().map(|element| element.to_vec())),
        Object::SortedSet(set) => elements.extend(set.iter().map(|(_, member)| member.to_vec())),
        _ => return Err(CommandError::WrongType),
    }
    Ok(elements)
}

fn write(shown: &Shown, reply: &mut Reply) {
    reply.array(shown.len());
    for value in shown {
        match value {
            Some(value) => reply.bulk(value),
            None => reply.null(),
        }
    }
}

/// STORE: a list in the place of whatever was there.
fn store(
    call: &mut Call<'_, '_>,
    wanted: &Wanted<'_>,
    object: Option<&Object>,
    destination: usize,
) -> Result<(), CommandError> {
    let shown = select(Some(call), wanted, object)?;
    let limits = call.settings.limits.list();
    let mut list = List::new();
    for value in &shown {
        let value = value.as_deref().unwrap_or_default();
        list.expect_more(1, value.len(), limits)?;
        list.push(ListEnd::Right, value, limits)?;
    }
    list.settle(limits);
    let key = call.key(destination);
    let count = list.len();
    if call.store_result(key, Some(list))? {
        if count > 0 {
            call.unit.notify(EventClass::LIST, "sortstore", key.bytes());
        }
        call.unit.dirty(count.max(1));
    }
    call.reply.int(count.cast_signed());
    Ok(())
}
