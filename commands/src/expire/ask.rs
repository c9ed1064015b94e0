//! TTL, PTTL, EXPIRETIME, PEXPIRETIME: when a key expires. To ask does not count as a use.
//!
//! -2 stands for no such key, -1 for a key that does not expire. Seconds are rounded, not cut off:
//! a key with 600 ms to live has a TTL of 1.

use store::Look;

use crate::spec::{Acl, Arity, CommandSpec, Flags, KeyAt, Keys};
use crate::{Call, CommandError};

/// TTL key
pub(super) const TTL: CommandSpec = CommandSpec {
    name: "ttl",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::FAST),
    since: "1.0.0",
    summary: "Tells how many seconds a key has to live.",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(ttl)
};

fn ttl(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    answer(call, |deadline, now_ms| {
        to_seconds(deadline.saturating_sub(now_ms))
    });
    Ok(())
}

/// PTTL key
pub(super) const PTTL: CommandSpec = CommandSpec {
    name: "pttl",
    since: "2.6.0",
    summary: "Tells how many milliseconds a key has to live.",
    run: pttl,
    ..TTL
};

fn pttl(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    answer(call, i64::saturating_sub);
    Ok(())
}

/// EXPIRETIME key
pub(super) const EXPIRETIME: CommandSpec = CommandSpec {
    name: "expiretime",
    since: "7.0.0",
    summary: "Tells the second at which a key expires.",
    tips: &[],
    run: expiretime,
    ..TTL
};

fn expiretime(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    answer(call, |deadline, _| to_seconds(deadline));
    Ok(())
}

/// PEXPIRETIME key
pub(super) const PEXPIRETIME: CommandSpec = CommandSpec {
    name: "pexpiretime",
    summary: "Tells the millisecond at which a key expires.",
    run: pexpiretime,
    ..EXPIRETIME
};

fn pexpiretime(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    answer(call, |deadline, _| deadline);
    Ok(())
}

fn answer(call: &mut Call<'_, '_>, figure: impl FnOnce(i64, i64) -> i64) {
    let key = call.key(1);
    let now_ms = call.unit.now_ms();
    let answer = match call
        .unit
        .look_up(key, Look::NoTouch)
        .map(|entry| entry.deadline())
    {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => figure(deadline, now_ms).max(0),
    };
    call.reply.int(answer);
}

fn to_seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded() {
        for (ms, seconds) in [(0, 0), (1, 0), (499, 0), (500, 1), (1499, 1), (1500, 2)] {
            assert_eq!(to_seconds(ms), seconds, "{ms}");
        }
        assert_eq!(to_seconds(i64::MAX), i64::MAX / 1000);
    }
}
