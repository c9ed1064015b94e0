//! What a sorted set is in memory. The page is `docs/design/types.md`.
//!
//! ```text
//!   listpack ──too many, or one too long──▶ tree by score, and members by name
//!
//!   listpack    member score  member score ..      in order
//!   score       Int                                a whole number of 64 bits
//!               [0 f32] or [0 f64]                 five or nine bytes, whichever is exact
//! ```
//!
//! The large form is `collections::sorted`. A set turns large while it is changed and never back; one
//! that is built anew begins small if it will fit. The bounds are where Redis has them, because OBJECT
//! ENCODING shows them.
//!
//! Redis spells a score in decimal here; that is longer for most that are not whole, and a search
//! would parse every score that it passes. So what the listpack holds is ours alone, and a file gets
//! Redis's spelling (`rdb/src/sorted_set.rs`).
//!
//! Z1  The order is by score, then by the member's bytes; no member twice, no score NaN.
//! Z2  -0 is 0 in the small form, as on Redis.
//!
//! Checked by: `tests/sorted_sets.rs` (random edits against a `BTreeMap`, both forms).

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use collections::listpack::{At, Chunks, Element};
use collections::sorted::{self, MemberHash};
use collections::{Listpack, Refused as Full};

use super::limits::Limits;
use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;
use crate::key::element_hashing;

/// A sorted set.
#[derive(Debug)]
pub struct SortedSet {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Packed(Listpack),
    /// Boxed: the small form is many and pays for the room of the larger.
    Tree(Box<Tree>),
}

type Tree = sorted::SortedSet<ElementHash>;

/// Members are hashed as all elements are.
#[derive(Clone, Copy, Debug)]
struct ElementHash;

impl MemberHash for ElementHash {
    #[inline]
    fn hash(self, member: &[u8]) -> u64 {
        element_hashing().of(member)
    }
}

/// A member and its score.
pub type Scored<'a> = (f64, Element<'a>);

/// What [`SortedSet::update`] found and left.
pub use sorted::Updated;

impl SortedSet {
    /// An empty set for about `count` members of which the longest has `longest` bytes.
    #[must_use]
    pub fn for_members(count: u64, longest: u64, limits: &Limits) -> SortedSet {
        let fits =
            count <= limits.zset_max_listpack_entries && longest <= limits.zset_max_listpack_value;
        let form = if fits {
            Form::Packed(Listpack::new())
        } else {
            Form::Tree(new_tree())
        };
        SortedSet { form }
    }

    /// Whether it is in the small form.
    #[must_use]
    pub fn is_small(&self) -> bool {
        matches!(self.form, Form::Packed(_))
    }

    /// `count` members, of which the longest has `longest` bytes, are about to be added: turns large
    /// at once if they will not fit.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect_more(
        &mut self,
        count: u64,
        longest: u64,
        limits: &Limits,
    ) -> Result<(), Refused> {
        let is_too_much =
            count > limits.zset_max_listpack_entries || longest > limits.zset_max_listpack_value;
        if self.is_small() && is_too_much {
            self.grow_large()?;
        }
        Ok(())
    }

    /// Lets `decide` see the member's score, and gives it the one that it says. With `None` nothing
    /// changes.
    ///
    /// # Errors
    /// `Refused`, and members and scores are as they were.
    ///
    /// # Panics
    /// If the new score is NaN.
    pub fn update(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Result<Updated, Refused> {
        let pack = match &mut self.form {
            Form::Tree(tree) => return Ok(tree.update(member, decide)?),
            Form::Packed(pack) => pack,
        };
        let found = find(pack, member);
        let before = found.map(|(_, score)| score);
        let Some(score) = decide(before) else {
            let after = before;
            return Ok(Updated { before, after });
        };
        assert!(!score.is_nan(), "Z1: a score is a number");
        let updated = Updated {
            before,
            after: Some(score),
        };
        match found {
            Some((_, old)) if old == score => {}
            Some((at, _)) => move_to(pack, at, member, score)?,
            None => {
                let fits = (pack.len() as u64 / 2) < limits.zset_max_listpack_entries
                    && member.len() as u64 <= limits.zset_max_listpack_value
                    && pack.has_room_for(member.len() + ROOM);
                if !fits {
                    self.grow_large()?.insert(member, score)?;
                    return Ok(updated);
                }
                let before = place(pack, member, score);
                put(pack, before, member, score)?;
            }
        }
        Ok(updated)
    }

    /// Gives a member a score; whether it is new.
    ///
    /// # Errors
    /// As `update`.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &Limits) -> Result<bool, Refused> {
        let updated = self.update(member, limits, |_| Some(score))?;
        Ok(updated.before.is_none())
    }

    fn grow_large(&mut self) -> Result<&mut Tree, Refused> {
        let mut tree = new_tree();
        for (score, member) in self.iter() {
            tree.insert(member.bytes(&mut [0; 20]), score)?;
        }
        self.form = Form::Tree(tree);
        match &mut self.form {
            Form::Tree(tree) => Ok(tree),
            Form::Packed(_) => unreachable!("it has just become a tree"),
        }
    }

    /// Takes a member out and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(pack) => {
                let (at, score) = find(pack, member)?;
                pack.delete_from(at, 2);
                Some(score)
            }
            Form::Tree(tree) => tree.remove(member),
        }
    }

    /// Takes the members of a range of ranks out.
    pub fn remove_ranks(&mut self, ranks: Range<u64>) {
        match &mut self.form {
            Form::Packed(pack) => {
                let (from, count) = entries(&ranks, pack);
                pack.delete_range(from, count);
            }
            Form::Tree(tree) => tree.remove_ranks(ranks),
        }
    }

    /// The score of a member.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(pack) => find(pack, member).map(|(_, score)| score),
            Form::Tree(tree) => tree.score(member),
        }
    }

    /// The rank of a member, from 0, and its score.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(u64, f64)> {
        match &self.form {
            Form::Packed(pack) => {
                let found = |[other, _]: &[Element<'_>; 2]| other.eq_bytes(member);
                let mut pairs = (0..).zip(pack.pairs());
                let (rank, [_, score]) = pairs.find(|(_, pair)| found(pair))?;
                Some((rank, read_score(score)))
            }
            Form::Tree(tree) => tree.rank(member),
        }
    }

    /// The number of members whose score is below `score`, or not above it if `inclusive`.
    #[must_use]
    pub fn rank_of_score(&self, score: f64, inclusive: bool) -> u64 {
        match &self.form {
            Form::Packed(_) => {
                self.rank_before(|(other, _)| other < score || inclusive && other == score)
            }
            Form::Tree(tree) => tree.rank_of_score(score, inclusive),
        }
    }

    /// The number of members for which `before` holds. It must hold for a beginning of the set and
    /// for nothing behind that.
    pub fn rank_before(&self, before: impl Fn(Scored<'_>) -> bool) -> u64 {
        match &self.form {
            Form::Packed(pack) => {
                let beginning = pack.pairs().map(scored).take_while(|pair| before(*pair));
                beginning.count() as u64
            }
            Form::Tree(tree) => {
                tree.rank_before(|(score, member)| before((score, Element::Bytes(member))))
            }
        }
    }

    /// The members of a range of ranks, from either end.
    #[must_use]
    pub fn range(&self, ranks: Range<u64>) -> ScoredRows<'_> {
        match &self.form {
            Form::Packed(pack) => {
                let (from, count) = entries(&ranks, pack);
                ScoredRows::Packed(pack.pairs_of(from, count))
            }
            Form::Tree(tree) => ScoredRows::Tree(tree.range(ranks)),
        }
    }

    /// All members in order, from either end.
    #[must_use]
    pub fn iter(&self) -> ScoredRows<'_> {
        match &self.form {
            Form::Packed(pack) => ScoredRows::Packed(pack.pairs()),
            Form::Tree(tree) => ScoredRows::Tree(tree.iter()),
        }
    }

    /// A member, each with the same chance, chosen by a random number.
    #[must_use]
    pub fn random(&self, random: u64) -> Option<Scored<'_>> {
        let rank = (u128::from(random) * u128::from(self.len())) >> 64;
        let rank = u64::try_from(rank).expect("below the number of members");
        self.range(rank..rank + 1).next()
    }

    /// Shows about `count` members from `cursor` on; where to go on, 0 at the end. The small form is
    /// shown whole.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Scored<'_>)) -> u64 {
        match &self.form {
            Form::Packed(_) => {
                self.iter().for_each(show);
                0
            }
            Form::Tree(tree) => {
                let mut left = count;
                let next = tree.scan(cursor, |member, score| {
                    show((score, Element::Bytes(member)));
                    left = left.saturating_sub(1);
                    if left == 0 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                });
                next.unwrap_or(0)
            }
        }
    }
}

/// What an entry takes beside the member's bytes: the score's nine and the two entries' own.
const ROOM: usize = 24;

fn new_tree() -> Box<Tree> {
    Box::new(Tree::new(ElementHash))
}

/// A range of ranks as entries of the listpack: the first, and how many.
fn entries(ranks: &Range<u64>, pack: &Listpack) -> (usize, usize) {
    let len = pack.len() as u64 / 2;
    let end = ranks.end.min(len);
    let start = ranks.start.min(end);
    let entries = |count: u64| usize::try_from(count).expect("within the listpack") * 2;
    (entries(start), entries(end - start))
}

/// A member's place and its score.
fn find(pack: &Listpack, member: &[u8]) -> Option<(At, f64)> {
    let at = pack.find(member, 1)?;
    let score = pack.next(at).expect("a score follows");
    Some((at, read_score(pack.value(score))))
}

/// The first pair behind where a member of this score belongs.
fn place(pack: &Listpack, member: &[u8], score: f64) -> Option<At> {
    let mut pairs = pack.pairs();
    while let Some((at, pair)) = pairs.next_at() {
        let (other, name) = scored(pair);
        let is_behind = match other.partial_cmp(&score).expect("Z1") {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => name.cmp_bytes(member).is_gt(),
        };
        if is_behind {
            return Some(at);
        }
    }
    None
}

/// Puts a pair before another one, or at the end.
fn put(pack: &mut Listpack, before: Option<At>, member: &[u8], score: f64) -> Result<(), Full> {
    let mut bytes = [0; 9];
    let pair = [Element::Bytes(member), write_score(score, &mut bytes)];
    match before {
        Some(at) => pack.insert_all_before(at, pair.into_iter()),
        None => pack.append_all(pair.into_iter()),
    }
}

/// Gives the member at `at` another score, and the place that belongs to it.
fn move_to(pack: &mut Listpack, at: At, member: &[u8], score: f64) -> Result<(), Full> {
    // In first: that is what may be refused, and a place behind the old one stays where it is.
    let score_at = pack.next(at).expect("a score follows");
    let fits_between = |pack: &Listpack| {
        let above = pack.prev(at).is_none_or(|score_before| {
            let name = pack.prev(score_before).expect("a member precedes");
            let other = (read_score(pack.value(score_before)), pack.value(name));
            is_before(other, (score, member))
        });
        above
            && pack.next(score_at).is_none_or(|name| {
                let score_behind = pack.next(name).expect("a score follows");
                let other = (read_score(pack.value(score_behind)), pack.value(name));
                !is_before(other, (score, member))
            })
    };
    if fits_between(pack) {
        let mut bytes = [0; 9];
        pack.replace(score_at, write_score(score, &mut bytes))?;
        return Ok(());
    }
    pack.reserve(member.len() + ROOM)?;
    pack.delete_from(at, 2);
    let before = place(pack, member, score);
    put(pack, before, member, score)
}

fn is_before(one: Scored<'_>, other: (f64, &[u8])) -> bool {
    one.0 < other.0 || one.0 == other.0 && one.1.cmp_bytes(other.1).is_lt()
}

fn scored([member, score]: [Element<'_>; 2]) -> Scored<'_> {
    (read_score(score), member)
}

/// A score as the listpack holds it.
fn write_score(score: f64, bytes: &mut [u8; 9]) -> Element<'_> {
    // Beyond 2^53 not every whole number is a float, but those that are come back as they were.
    let whole = score as i64;
    if whole as f64 == score {
        return Element::Int(whole);
    }
    let short = score as f32;
    if f64::from(short) == score {
        bytes[1..5].copy_from_slice(&short.to_le_bytes());
        return Element::Bytes(&bytes[..5]);
    }
    bytes[1..].copy_from_slice(&score.to_le_bytes());
    Element::Bytes(bytes)
}

#[inline]
fn read_score(element: Element<'_>) -> f64 {
    match element {
        Element::Int(whole) => whole as f64,
        Element::Bytes(&[_, a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        Element::Bytes(bytes) => {
            let bits = bytes.last_chunk().expect("only `write_score` writes them");
            f64::from_le_bytes(*bits)
        }
    }
}

/// Members of a sorted set in order, from either end.
#[expect(
    clippy::large_enum_variant,
    reason = "it stands on the stack, once a command"
)]
pub enum ScoredRows<'a> {
    /// Of the small form.
    Packed(Chunks<'a, 2>),
    /// Of the large form.
    Tree(sorted::Range<'a>),
}

impl<'a> Iterator for ScoredRows<'a> {
    type Item = Scored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'a>> {
        match self {
            ScoredRows::Packed(pairs) => pairs.next().map(scored),
            ScoredRows::Tree(range) => {
                let (score, member) = range.next()?;
                Some((score, Element::Bytes(member)))
            }
        }
    }
}

impl<'a> DoubleEndedIterator for ScoredRows<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Scored<'a>> {
        match self {
            ScoredRows::Packed(pairs) => pairs.next_back().map(scored),
            ScoredRows::Tree(range) => {
                let (score, member) = range.next_back()?;
                Some((score, Element::Bytes(member)))
            }
        }
    }
}

impl std::fmt::Debug for ScoredRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoredRows").finish_non_exhaustive()
    }
}

impl Container for SortedSet {
    const KIND: Kind = Kind::SortedSet;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::SortedSet(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::SortedSet(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let form = match &self.form {
            Form::Packed(pack) => Form::Packed(pack.try_clone()?),
            Form::Tree(tree) => Form::Tree(tree.clone()),
        };
        Ok(SortedSet { form })
    }

    fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Packed(_) => Encoding::Listpack,
            Form::Tree(_) => Encoding::Skiplist,
        }
    }

    fn len(&self) -> u64 {
        match &self.form {
            Form::Packed(pack) => pack.len() as u64 / 2,
            Form::Tree(tree) => tree.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Tree(tree) => size_of::<Tree>() + tree.heap_bytes(),
        }
    }

    fn free_effort(&self) -> u64 {
        match &self.form {
            Form::Packed(_) => 1,
            // Leaves and bundles hold some dozens each.
            Form::Tree(tree) => tree.len() / 16,
        }
    }

    fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        /// Leaves or bundles between pauses.
        const NODES: usize = 256;
        let form = std::mem::replace(&mut self.form, Form::Packed(Listpack::new()));
        if let Form::Tree(tree) = form {
            let mut remains = tree.into_remains();
            while remains.free_some(NODES) {
                pause();
            }
        }
    }
}
