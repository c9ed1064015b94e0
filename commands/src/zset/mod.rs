//! Sorted sets: different strings, each with a score, in the order of scores and then of bytes.
//!
//! | file | commands |
//! |---|---|
//! | `add.rs` | ZADD, ZINCRBY |
//! | `remove.rs` | ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX |
//! | `ask.rs` | ZCARD, ZSCORE, ZMSCORE, ZSCAN |
//! | `rank.rs` | ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT |
//! | `range.rs` | ZRANGE and the older forms of it, ZRANGESTORE |
//! | `pop.rs` | ZPOPMIN, ZPOPMAX, ZMPOP, BZPOPMIN, BZPOPMAX, BZMPOP |
//! | `random.rs` | ZRANDMEMBER |
//! | `algebra.rs` | ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD; what they find is in `merge.rs` |
//!
//! `bounds.rs` reads what a range is given by and finds its ranks. What a sorted set is in memory:
//! `store/src/value/sorted_set.rs`.

pub(crate) mod add;
mod algebra;
mod ask;
mod bounds;
mod merge;
mod pop;
mod random;
mod range;
mod rank;
mod remove;

use resp::{Proto, Reply};
use store::Scored;

use crate::generic::write_element;
use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &pop::BZMPOP,
    &pop::BZPOPMAX,
    &pop::BZPOPMIN,
    &add::ZADD,
    &ask::ZCARD,
    &rank::ZCOUNT,
    &algebra::ZDIFF,
    &algebra::ZDIFFSTORE,
    &add::ZINCRBY,
    &algebra::ZINTER,
    &algebra::ZINTERCARD,
    &algebra::ZINTERSTORE,
    &rank::ZLEXCOUNT,
    &pop::ZMPOP,
    &ask::ZMSCORE,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &random::ZRANDMEMBER,
    &range::ZRANGE,
    &range::ZRANGEBYLEX,
    &range::ZRANGEBYSCORE,
    &range::ZRANGESTORE,
    &rank::ZRANK,
    &remove::ZREM,
    &remove::ZREMRANGEBYLEX,
    &remove::ZREMRANGEBYRANK,
    &remove::ZREMRANGEBYSCORE,
    &range::ZREVRANGE,
    &range::ZREVRANGEBYLEX,
    &range::ZREVRANGEBYSCORE,
    &rank::ZREVRANK,
    &ask::ZSCAN,
    &ask::ZSCORE,
    &algebra::ZUNION,
    &algebra::ZUNIONSTORE,
];

/// From so many members on a reply is made after unlocking: some 10 µs of work.
pub(crate) const LONG_LEN_MIN: u64 = 1_000;

/// Announces `count` members that [`write_row`] will say. With scores they are pairs: flat in RESP2,
/// each by itself in RESP3.
fn write_head(count: u64, with_scores: bool, reply: &mut Reply) {
    let count = usize::try_from(count).expect("members are in memory");
    let is_flat = with_scores && reply.proto() == Proto::Resp2;
    reply.array(if is_flat { count * 2 } else { count });
}

fn write_row((score, member): Scored<'_>, with_scores: bool, reply: &mut Reply) {
    if with_scores && reply.proto() == Proto::Resp3 {
        reply.array(2);
    }
    write_element(member, reply);
    if with_scores {
        reply.double(score);
    }
}
