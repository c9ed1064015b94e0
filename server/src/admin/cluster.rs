//! CLUSTER, READONLY, READWRITE, ASKING: there is no cluster, and a client that asks is told so.
//!
//! Every row is here, so that COMMAND knows it and a wrong number of words is said first, as in Redis.
//! One subcommand needs no cluster and answers, as in Valkey 9.1: KEYSLOT.
//!
//!   slot = CRC16(tag) mod 16384        tag: what stands between the first `{` and the next `}`, if
//!                                      that is anything; else the whole key
//!
//! Source of the slot: the Redis cluster specification; CRC-16/XMODEM.
//!
//! Checked by: tests below, tests/transcripts/cluster.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&ASKING, &CLUSTER, &READONLY, &READWRITE];

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// ASKING
const ASKING: CommandSpec<Handler> = CommandSpec {
    name: "asking",
    arity: Arity::Exactly(1),
    flags: Flags::FAST,
    acl: Acl::CONNECTION.or(Acl::FAST),
    group: Group::Cluster,
    since: "3.0.0",
    summary: "Signals that a cluster client is following an -ASK redirect.",
    ..CommandSpec::row(disabled)
};

/// READONLY
const READONLY: CommandSpec<Handler> = CommandSpec {
    name: "readonly",
    flags: Flags::FAST.or(Flags::LOADING).or(Flags::STALE),
    summary: "Enables read-only queries for a connection to a Redis Cluster replica node.",
    ..ASKING
};

/// READWRITE
const READWRITE: CommandSpec<Handler> = CommandSpec {
    name: "readwrite",
    flags: READONLY.flags,
    summary: "Enables read-write queries for a connection to a Redis Cluster replica node.",
    ..ASKING
};

/// CLUSTER subcommand
const CLUSTER: CommandSpec<Handler> = CommandSpec {
    name: "cluster",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Cluster,
    since: "3.0.0",
    summary: "A container for Redis Cluster commands.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..CommandSpec::row(disabled)
};

fn disabled(_: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    Err(CommandError::Fixed(
        "ERR This instance has cluster support disabled",
    ))
}

/// What may be asked of any node.
const ASKED: CommandSpec<Handler> = CommandSpec {
    arity: Arity::Exactly(2),
    flags: Flags::STALE,
    acl: Acl::SLOW,
    group: Group::Cluster,
    since: "3.0.0",
    ..CommandSpec::row(disabled)
};

/// The same while the data is being loaded.
const ASKED_ANYTIME: CommandSpec<Handler> = CommandSpec {
    flags: Flags::LOADING.or(Flags::STALE),
    tips: &["nondeterministic_output"],
    ..ASKED
};

/// What is for administrators.
const ADMIN: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN.or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    ..ASKED
};

/// What changes the cluster.
const CHANGE: CommandSpec<Handler> = CommandSpec {
    flags: ADMIN.flags.or(Flags::NO_ASYNC_LOADING),
    ..ADMIN
};

const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// All of them, by name.
const SUBCOMMANDS: &[CommandSpec<Handler>] = &[
    CommandSpec {
        name: "addslots",
        arity: Arity::AtLeast(3),
        summary: "Assigns new hash slots to a node.",
        complexity: "O(N) where N is the total number of hash slot arguments",
        syntax: "slot [slot ...]",
        ..CHANGE
    },
    CommandSpec {
        name: "addslotsrange",
        arity: Arity::AtLeast(4),
        since: "7.0.0",
        summary: "Assigns new hash slot ranges to a node.",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        syntax: "start-slot end-slot [start-slot end-slot ...]",
        ..CHANGE
    },
    CommandSpec {
        name: "bumpepoch",
        summary: "Advances the cluster config epoch.",
        tips: NONDETERMINISTIC,
        ..CHANGE
    },
    CommandSpec {
        name: "count-failure-reports",
        arity: Arity::Exactly(3),
        summary: "Returns the number of active failure reports active for a node.",
        complexity: "O(N) where N is the number of failure reports",
        syntax: "node-id",
        tips: NONDETERMINISTIC,
        ..ADMIN
    },
    CommandSpec {
        name: "countkeysinslot",
        arity: Arity::Exactly(3),
        summary: "Returns the number of keys in a hash slot.",
        syntax: "slot",
        ..ASKED
    },
    CommandSpec {
        name: "delslots",
        arity: Arity::AtLeast(3),
        summary: "Sets hash slots as unbound for a node.",
        complexity: "O(N) where N is the total number of hash slot arguments",
        syntax: "slot [slot ...]",
        ..CHANGE
    },
    CommandSpec {
        name: "delslotsrange",
        arity: Arity::AtLeast(4),
        since: "7.0.0",
        summary: "Sets hash slot ranges as unbound for a node.",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        syntax: "start-slot end-slot [start-slot end-slot ...]",
        ..CHANGE
    },
    CommandSpec {
        name: "failover",
        arity: Arity::AtLeast(2),
        summary: "Forces a replica to perform a manual failover of its master.",
        syntax: "[FORCE | TAKEOVER]",
        ..CHANGE
    },
    CommandSpec {
        name: "flushslots",
        summary: "Deletes all slots information from a node.",
        ..CHANGE
    },
    CommandSpec {
        name: "forget",
        arity: Arity::Exactly(3),
        summary: "Removes a node from the nodes table.",
        syntax: "node-id",
        ..CHANGE
    },
    CommandSpec {
        name: "getkeysinslot",
        arity: Arity::Exactly(4),
        summary: "Returns the key names in a hash slot.",
        complexity: "O(N) where N is the number of requested keys",
        syntax: "slot count",
        tips: NONDETERMINISTIC,
        ..ASKED
    },
    CommandSpec {
        name: "help",
        since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.",
        tips: &[],
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "info",
        summary: "Returns information about the state of a node.",
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "keyslot",
        arity: Arity::Exactly(3),
        summary: "Returns the hash slot for a key.",
        complexity: "O(N) where N is the number of bytes in the key",
        syntax: "key",
        run: keyslot,
        ..ASKED
    },
    CommandSpec {
        name: "links",
        since: "7.0.0",
        summary: "Returns a list of all TCP links to and from peer nodes.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        tips: NONDETERMINISTIC,
        ..ASKED
    },
    CommandSpec {
        name: "meet",
        arity: Arity::AtLeast(4),
        summary: "Forces a node to handshake with another node.",
        syntax: "ip port [cluster-bus-port]",
        ..CHANGE
    },
    CommandSpec {
        name: "myid",
        summary: "Returns the ID of a node.",
        tips: &[],
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "myshardid",
        since: "7.2.0",
        summary: "Returns the shard ID of a node.",
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "nodes",
        summary: "Returns the cluster configuration for a node.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "replicas",
        arity: Arity::Exactly(3),
        since: "5.0.0",
        summary: "Lists the replica nodes of a master node.",
        complexity: "O(N) where N is the number of replicas.",
        syntax: "node-id",
        tips: NONDETERMINISTIC,
        ..ADMIN
    },
    CommandSpec {
        name: "replicate",
        arity: Arity::AtLeast(3),
        summary: "Configure a node as replica of a master node.",
        syntax: "node-id",
        ..CHANGE
    },
    CommandSpec {
        name: "reset",
        arity: Arity::AtLeast(2),
        flags: ADMIN.flags.or(Flags::NOSCRIPT),
        summary: "Resets a node.",
        complexity: "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
        syntax: "[HARD | SOFT]",
        ..ADMIN
    },
    CommandSpec {
        name: "saveconfig",
        summary: "Forces a node to save the cluster configuration to disk.",
        ..CHANGE
    },
    CommandSpec {
        name: "set-config-epoch",
        arity: Arity::Exactly(3),
        summary: "Sets the configuration epoch for a new node.",
        syntax: "config-epoch",
        ..CHANGE
    },
    CommandSpec {
        name: "setslot",
        arity: Arity::AtLeast(4),
        flags: CHANGE.flags.or(Flags::MAY_REPLICATE),
        summary: "Binds a hash slot to a node.",
        syntax: "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        ..CHANGE
    },
    CommandSpec {
        name: "shards",
        since: "7.0.0",
        summary: "Returns the mapping of cluster slots to shards.",
        complexity: "O(N) where N is the total number of cluster nodes",
        ..ASKED_ANYTIME
    },
    CommandSpec {
        name: "slaves",
        arity: Arity::Exactly(3),
        summary: "Lists the replica nodes of a master node.",
        complexity: "O(N) where N is the number of replicas.",
        syntax: "node-id",
        tips: NONDETERMINISTIC,
        ..ADMIN
    },
    CommandSpec {
        name: "slots",
        summary: "Returns the mapping of cluster slots to nodes.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        ..ASKED_ANYTIME
    },
];

/// CLUSTER KEYSLOT key
fn keyslot(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let slot = key_slot(call.args.get(2));
    call.reply.int(i64::from(slot));
    Ok(())
}

/// The slot of a key.
fn key_slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let end = rest.iter().position(|&byte| byte == b'}')?;
        (end > 0).then_some(&rest[..end])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM: polynomial 0x1021, from 0, bit by bit: a key is short, and this is asked rarely.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_the_specification_s() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let check = |key: &str, expected| assert_eq!(key_slot(key.as_bytes()), expected, "{key}");
        check("", 0);
        check("foo", 12_182);
        check("bar", 5_061);
        check("{foo}.x", 12_182);
        check("a{foo}{bar}", 12_182);
        check("foo{}{bar}", 8_363);
        check("{bar", crc16(b"{bar") % SLOTS);
    }
}
