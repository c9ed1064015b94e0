//! The sorted set: members with scores, found by name, by rank and in the order of scores.
//!
//! ```text
//!  SortedSet ─ members ─> hash table of bundles      label, score, member's bytes     (by name)
//!            └ tree ────> counted B+tree             score, label                     (by order)
//! ```
//!
//! A member's bytes lie once, in its bundle. The tree refers to it by a label of 32 bits, so a
//! record of the tree has 12 bytes, and a member of 16 costs some 50 in all. Both halves are copied
//! on write in pieces of 1 KiB or so and neither points into the other: a clone is a snapshot, the
//! copy of a set costs as little, and nothing is handed over between old and new
//! (`docs/design/tree.md` has the other ways and the sums).
//!
//! The order is by score, then by the member's bytes; -0 and 0 are the same score, and keep the
//! bits with which they came. Comparing scores needs the tree alone; where they are equal, the
//! members are looked up by their labels, and of a subtree's separator the first record is asked.
//!
//! O1  Tree and members have the same labels, each once, and the same scores, none of them NaN.
//! O2  The tree is in order.
//!
//! Checked by: `SortedSet::check`, `tests/sorted_model.rs`.

mod buffer;
mod bundle;
mod members;
mod range;

pub use range::{Parts, Range, Remains};

use crate::Refused;
use crate::tree::{Child, Copies, Leaf, Record, Tree, not_above};
use bundle::Member;
use members::{Label, Members};
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// How members are hashed: one seeded function for each set's life. Only the low 32 bits count.
pub trait MemberHash: Copy + Send + Sync + 'static {
    /// The hash of a member.
    fn hash(self, member: &[u8]) -> u64;
}

/// A member and its score.
pub type Scored<'a> = (f64, &'a [u8]);

/// What `SortedSet::update` found and left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Updated {
    /// The score before, if the member was there.
    pub before: Option<f64>,
    /// The score now, if the member is there.
    pub after: Option<f64>,
}

/// A record of the tree: 12 bytes, so the score lies in two halves.
#[derive(Clone, Copy, Debug)]
struct Rank {
    score: [u32; 2],
    label: Label,
}

const _: () = assert!(size_of::<Rank>() == 12);

impl Rank {
    fn new(score: f64, label: Label) -> Self {
        let bits = score.to_bits();
        // The halves of a number, neither loses anything.
        let score = [bits as u32, (bits >> 32) as u32];
        Self { score, label }
    }

    #[inline]
    fn score(&self) -> f64 {
        f64::from_bits(u64::from(self.score[0]) | u64::from(self.score[1]) << 32)
    }
}

impl Record for Rank {
    type Sep = f64;
    /// A leaf of 1 KiB.
    const FULL: usize = 85;

    fn sep(&self) -> f64 {
        self.score()
    }

    fn weight(&self) -> u64 {
        1
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// As many are taken out one by one, as pops do; more by cutting the tree.
const FEW: u64 = 8;

/// Members with scores. See the module's essay.
#[derive(Clone)]
pub struct SortedSet<H: MemberHash> {
    tree: Tree<Rank>,
    members: Members,
    hash: H,
}

/// A score and a member as a place in the order, which tree and labels are compared with.
#[derive(Clone, Copy)]
struct Place<'a> {
    members: &'a Members,
    score: f64,
    member: &'a [u8],
}

impl<'a> Place<'a> {
    /// How a record compares with this place.
    #[inline]
    fn order(self, record: &Rank) -> Ordering {
        let score = record.score();
        if score < self.score {
            Ordering::Less
        } else if score > self.score {
            Ordering::Greater
        } else {
            self.members.member(record.label).cmp(self.member)
        }
    }

    /// To the leaf in which the place is.
    fn guide(self) -> impl FnMut(&[Child<Rank>]) -> usize + 'a {
        not_above(move |child: &Child<Rank>| {
            let score = *child.sep();
            // An equal separator says nothing: what it was taken from may have gone.
            score > self.score || score == self.score && self.order(child.first_record()).is_gt()
        })
    }

    /// Where the place is in its leaf, or before which record it would be.
    fn find(self, leaf: &Leaf<Rank>) -> usize {
        leaf.records()
            .partition_point(|record| self.order(record).is_lt())
    }

    /// Where the record of `label`, which is at this place, is in its leaf.
    fn find_label(self, leaf: &Leaf<Rank>, label: Label) -> usize {
        let records = leaf.records();
        // Among equal scores the label is looked for: that is cheaper than members are.
        let from = records.partition_point(|record| record.score() < self.score);
        let found = records[from..].iter().position(|r| r.label == label);
        from + found.expect("O1")
    }
}

impl<H: MemberHash> SortedSet<H> {
    /// An empty set, which has allocated nothing.
    pub fn new(hash: H) -> Self {
        Self {
            tree: Tree::new(),
            members: Members::default(),
            hash,
        }
    }

    /// The number of members.
    pub fn len(&self) -> u64 {
        self.tree.weight()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes on the heap, shared with a snapshot or not.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.members.heap_bytes()
    }

    /// What copy on write has cost.
    pub fn copies(&self) -> Copies {
        let (tree, members) = (self.tree.copies(), self.members.copies());
        Copies {
            nodes: tree.nodes + members.nodes,
            bytes: tree.bytes + members.bytes,
        }
    }

    /// The member's hash as far as it counts.
    fn hash(&self, member: &[u8]) -> u32 {
        self.hash.hash(member) as u32
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        let (_, score) = self.members.find(self.hash(member), member)?;
        Some(score)
    }

    /// The rank of a member, from 0, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(u64, f64)> {
        let (label, score) = self.members.find(self.hash(member), member)?;
        let place = self.place(score, member);
        let (leaf, before) = self.tree.leaf_and_rank(place.guide())?;
        Some((before + place.find_label(leaf, label) as u64, score))
    }

    /// The member of a rank.
    pub fn get(&self, rank: u64) -> Option<Scored<'_>> {
        let (record, _) = self.tree.get(rank)?;
        Some(self.show(record))
    }

    /// The number of members for which `before` holds. It must hold for a beginning of the set and
    /// for nothing behind that; so it turns a bound of scores, or of members of one score, into a
    /// rank.
    pub fn rank_before(&self, before: impl Fn(Scored<'_>) -> bool) -> u64 {
        let holds = |record: &Rank| before(self.show(record));
        let guide = not_above(|child: &Child<Rank>| !holds(child.first_record()));
        self.tree.leaf_and_rank(guide).map_or(0, |(leaf, rank)| {
            rank + leaf.records().partition_point(holds) as u64
        })
    }

    /// The number of members whose score is below `score`, or not above it if `inclusive`.
    pub fn rank_of_score(&self, score: f64, inclusive: bool) -> u64 {
        let below = |other: f64| other < score || inclusive && other == score;
        // Separators alone tell: all that is left of one is at or below it.
        let guide = not_above(|child: &Child<Rank>| !below(*child.sep()));
        self.tree.leaf_and_rank(guide).map_or(0, |(leaf, rank)| {
            rank + leaf.records().partition_point(|r| below(r.score())) as u64
        })
    }

    /// Gives a member a score and returns the one it had.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Result<Option<f64>, Refused> {
        self.update(member, |_| Some(score)).map(|u| u.before)
    }

    /// Lets `decide` see the member's score, and gives it the one that it says. With `None` nothing
    /// changes. A refusal (no memory for a long member, too many members) comes before any change.
    ///
    /// # Panics
    /// If the new score is NaN.
    pub fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Result<Updated, Refused> {
        let hash = self.hash(member);
        let found = self.members.find(hash, member);
        let before = found.map(|(_, score)| score);
        let Some(score) = decide(before) else {
            let after = before;
            return Ok(Updated { before, after });
        };
        assert!(!score.is_nan(), "O1: a score is a number");
        match found {
            Some((_, old)) if old.to_bits() == score.to_bits() => {}
            Some((label, old)) => self.rescore(label, member, old, score),
            None => {
                let label = self.members.insert(hash, Member::new(member)?, score)?;
                self.insert_rank(score, label, member);
            }
        }
        let after = Some(score);
        Ok(Updated { before, after })
    }

    /// Takes a member out and returns its score. Copies nothing if it is not there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (label, score) = self.members.find(self.hash(member), member)?;
        self.remove_rank(score, label, member);
        self.members.remove(label);
        Some(score)
    }

    /// Takes the members of a range of ranks out.
    pub fn remove_ranks(&mut self, ranks: std::ops::Range<u64>) {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        if ranks.end - ranks.start <= FEW {
            for _ in ranks.clone() {
                let record = self
                    .tree
                    .edit_at(ranks.start, |leaf, at, _| leaf.remove(at));
                self.members.remove(record.label);
            }
            return;
        }
        let mut removed = self.tree.remove_ranks(ranks).into_parts();
        while let Some(part) = removed.next_leaf() {
            for record in part.leaf().records() {
                self.members.remove(record.label);
            }
        }
    }

    /// The members of a range of ranks, from either end.
    pub fn range(&self, ranks: std::ops::Range<u64>) -> Range<'_> {
        Range::new(&self.tree, &self.members, ranks)
    }

    /// All members in order, from either end.
    pub fn iter(&self) -> Range<'_> {
        self.range(0..self.len())
    }

    /// Visits members in an order of their names' hashes, from `cursor` on, until `visit` says
    /// stop; returns the cursor to go on with, `None` at the end. Begins at 0; cursors stay below
    /// 2^26. A member that is there all the time is met once, whatever comes and goes meanwhile;
    /// members of one cursor come together.
    pub fn scan(
        &self,
        cursor: u64,
        visit: impl FnMut(&[u8], f64) -> ControlFlow<()>,
    ) -> Option<u64> {
        self.members.scan(cursor, visit)
    }

    /// The set, to be taken apart in order.
    pub fn into_parts(self) -> Parts {
        Parts::new(self.tree, self.members)
    }

    /// The set, to be freed step by step.
    pub fn into_remains(self) -> Remains {
        Remains::new(self.tree, self.members)
    }

    fn show(&self, record: &Rank) -> Scored<'_> {
        (record.score(), self.members.member(record.label))
    }

    fn place<'a>(&'a self, score: f64, member: &'a [u8]) -> Place<'a> {
        Place {
            members: &self.members,
            score,
            member,
        }
    }

    fn insert_rank(&mut self, score: f64, label: Label, member: &[u8]) {
        let place = Place {
            members: &self.members,
            score,
            member,
        };
        self.tree.edit(place.guide(), |leaf| {
            leaf.insert(place.find(leaf), Rank::new(score, label));
        });
    }

    fn remove_rank(&mut self, score: f64, label: Label, member: &[u8]) {
        let place = Place {
            members: &self.members,
            score,
            member,
        };
        self.tree.edit(place.guide(), |leaf| {
            leaf.remove(place.find_label(leaf, label));
        });
    }

    /// Moves a member from one score to another: within its leaf if its neighbours there show that
    /// it belongs between them.
    fn rescore(&mut self, label: Label, member: &[u8], old: f64, new: f64) {
        let (from, to) = (
            Place {
                members: &self.members,
                score: old,
                member,
            },
            Place {
                members: &self.members,
                score: new,
                member,
            },
        );
        let moved = self.tree.edit(from.guide(), |leaf| {
            let at = from.find_label(leaf, label);
            let inside = at > 0
                && at + 1 < leaf.len()
                && to.order(&leaf.records()[at - 1]).is_lt()
                && to.order(&leaf.records()[at + 1]).is_gt();
            if inside {
                leaf.change(at, |record| *record = Rank::new(new, label));
            } else {
                leaf.remove(at);
            }
            inside
        });
        if !moved {
            self.insert_rank(new, label, member);
        }
        self.members.set_score(label, new);
    }

    /// Panics if an invariant does not hold. For tests.
    pub fn check(&self) {
        self.members.check(self.hash);
        let mut last: Option<Scored<'_>> = None;
        let mut count = 0;
        self.tree.check(|leaf, low, high| {
            for record in leaf.records() {
                let (score, member) = self.show(record);
                let found = self.members.find(self.hash(member), member);
                let same = |(label, s): (Label, f64)| {
                    label == record.label && s.to_bits() == score.to_bits()
                };
                assert!(found.is_some_and(same), "O1");
                let place = self.place(score, member);
                let before = last
                    .is_none_or(|(s, m)| s < place.score || s == place.score && m < place.member);
                assert!(before, "O2");
                assert!(low.is_none_or(|low| *low <= score), "T3");
                assert!(high.is_none_or(|high| score <= *high), "T3");
                last = Some((score, member));
                count += 1;
            }
        });
        assert_eq!(count, self.len(), "O1");
        assert_eq!(self.members.len(), self.len(), "O1");
    }
}

impl<H: MemberHash> std::fmt::Debug for SortedSet<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
