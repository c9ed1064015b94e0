//! MEMORY: what a key holds, where memory goes, what is wrong with it, giving it back.
//!
//! A key's bytes are those of its allocations, in the allocator's own sizes, and its share of the
//! table: a pointer, a tag and its part of what a segment holds beside them (docs/design/table.md:
//! 9.5 to 9.9 bytes).
//!
//! Checked by: tests/transcripts/server/memory.txt, the foreign suites.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use store::Look;

use super::{AdminCall, Handler, help_lines};
use crate::balance::{Balance, ratio, signed};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&MEMORY];

/// A key's share of its table, in bytes.
const TABLE_SHARE_BYTES: usize = 12;

/// MEMORY subcommand
const MEMORY: CommandSpec<Handler> = CommandSpec {
    name: "memory",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "4.0.0",
    summary: "A container for memory diagnostics commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[DOCTOR, HELP, MALLOC_STATS, PURGE, STATS, USAGE],
    ..CommandSpec::row(help)
};

const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

/// What the subcommands have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    arity: Arity::Exactly(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "4.0.0",
    ..CommandSpec::row(help)
};

/// MEMORY HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    flags: Flags::LOADING.or(Flags::STALE),
    summary: "Returns helpful text about the different subcommands.",
    ..BASE
};

const HELP_LINES: &[&str] = &[
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}

/// MEMORY USAGE key [SAMPLES count]
const USAGE: CommandSpec<Handler> = CommandSpec {
    name: "usage",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RO)]),
    flags: Flags::READONLY,
    acl: Acl::READ.or(Acl::SLOW),
    summary: "Estimates the memory usage of a key.",
    complexity: "O(N) where N is the number of samples.",
    syntax: "key [SAMPLES count]",
    run: usage,
    ..BASE
};

fn usage(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let words = call.args.len();
    let mut at = 3;
    while at < words {
        // The count bounds how many elements of a container are looked at; a string has none.
        if !call.is(at, "samples") || at + 1 == words {
            return Err(CommandError::Syntax);
        }
        let count =
            resp::number::parse_i64(call.args.get(at + 1)).ok_or(CommandError::NotInteger)?;
        if count < 0 {
            return Err(CommandError::Syntax);
        }
        at += 2;
    }
    let word = call.args.get(2);
    let unit = call.unit.as_mut().expect("the row names a key");
    let key = unit.key(word);
    match unit.look_up(key, Look::Peek) {
        Some(entry) => {
            let bytes = entry.memory_bytes() + TABLE_SHARE_BYTES;
            call.reply.int(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        None => call.reply.null(),
    }
    Ok(())
}

/// MEMORY PURGE
const PURGE: CommandSpec<Handler> = CommandSpec {
    name: "purge",
    flags: Flags::LOADING,
    summary: "Asks the allocator to release memory.",
    complexity: "Depends on how much memory is allocated, could be slow",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: purge,
    ..BASE
};

fn purge(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    os::memory::purge();
    call.reply.ok();
    Ok(())
}

/// MEMORY MALLOC-STATS
const MALLOC_STATS: CommandSpec<Handler> = CommandSpec {
    name: "malloc-stats",
    flags: Flags::LOADING,
    summary: "Returns the allocator statistics.",
    complexity: "Depends on how much memory is allocated, could be slow",
    tips: TIPS,
    run: malloc_stats,
    ..BASE
};

fn malloc_stats(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let report = os::alloc::report();
    call.reply.verbatim(b"txt", report.as_bytes());
    Ok(())
}

/// MEMORY STATS
const STATS: CommandSpec<Handler> = CommandSpec {
    name: "stats",
    summary: "Returns details about memory usage.",
    tips: TIPS,
    run: stats,
    ..BASE
};

fn stats(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let balance = Balance::take(call.server, &call.server.clients.list());
    let store = &call.server.store;
    let keys = balance.tables.iter().map(|(db, _)| store.keys(*db)).sum();
    let (before, behind) = (before_databases(&balance), behind_databases(&balance, keys));
    let reply = &mut *call.reply;
    reply.map(before.len() + balance.tables.len() + behind.len());
    before.iter().for_each(|row| say(reply, row));
    for (db, bytes) in &balance.tables {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(2);
        say(reply, &("overhead.hashtable.main", Figure::Whole(*bytes)));
        // A deadline stands in the entry: there is no second table.
        say(reply, &("overhead.hashtable.expires", Figure::Whole(0)));
    }
    behind.iter().for_each(|row| say(reply, row));
    Ok(())
}

/// A line of STATS.
type Row = (&'static str, Figure);

enum Figure {
    Whole(u64),
    Signed(i64),
    Ratio(f64),
}

fn say(reply: &mut resp::Reply, (name, figure): &Row) {
    reply.bulk(name.as_bytes());
    match figure {
        Figure::Whole(value) => reply.int(i64::try_from(*value).unwrap_or(i64::MAX)),
        Figure::Signed(value) => reply.int(*value),
        Figure::Ratio(value) => reply.double(*value),
    }
}

fn before_databases(b: &Balance) -> [Row; 12] {
    use Figure::Whole;
    [
        ("peak.allocated", Whole(b.peak)),
        ("total.allocated", Whole(b.used)),
        ("startup.allocated", Whole(b.startup)),
        ("replication.backlog", Whole(0)),
        ("replica.fullsync.buffer", Whole(0)),
        ("clients.slaves", Whole(0)),
        ("clients.normal", Whole(b.clients)),
        ("cluster.links", Whole(0)),
        ("aof.buffer", Whole(0)),
        ("lua.caches", Whole(0)),
        ("functions.caches", Whole(0)),
        ("script.VMs", Whole(0)),
    ]
}

fn behind_databases(b: &Balance, keys: u64) -> [Row; 21] {
    use Figure::{Ratio, Signed, Whole};
    let percent = |part: u64, whole: u64| Ratio(ratio(part, whole) * 100.0);
    let more = |above: u64, below: u64| Signed(signed(above, below));
    let (system, tables) = (b.system.resident, b.tables.iter().map(|(_, n)| n).sum());
    let pages = &b.pages;
    [
        ("overhead.db.hashtable.lut", Whole(tables)),
        ("overhead.db.hashtable.rehashing", Whole(0)),
        ("overhead.total", Whole(b.overhead())),
        ("db.dict.rehashing.count", Whole(0)),
        ("keys.count", Whole(keys)),
        ("keys.bytes-per-key", Whole(b.since_startup() / keys.max(1))),
        ("dataset.bytes", Whole(b.dataset())),
        (
            "dataset.percentage",
            percent(b.dataset(), b.since_startup()),
        ),
        ("peak.percentage", percent(b.used, b.peak)),
        ("allocator.allocated", Whole(pages.allocated)),
        ("allocator.active", Whole(pages.active)),
        ("allocator.resident", Whole(pages.resident)),
        ("allocator.muzzy", Whole(0)),
        (
            "allocator-fragmentation.ratio",
            Ratio(pages.allocator_ratio()),
        ),
        (
            "allocator-fragmentation.bytes",
            more(pages.active, pages.allocated),
        ),
        ("allocator-rss.ratio", Ratio(pages.process_ratio())),
        ("allocator-rss.bytes", more(pages.resident, pages.active)),
        ("rss-overhead.ratio", Ratio(ratio(system, pages.resident))),
        ("rss-overhead.bytes", more(system, pages.resident)),
        ("fragmentation", Ratio(b.fragmentation())),
        ("fragmentation.bytes", Signed(b.fragmentation_bytes())),
    ]
}

/// MEMORY DOCTOR
const DOCTOR: CommandSpec<Handler> = CommandSpec {
    name: "doctor",
    summary: "Outputs a memory problems report.",
    tips: TIPS,
    run: doctor,
    ..BASE
};

/// Below this there is nothing to judge: what a fresh server holds hides everything else.
const JUDGED_BYTES_MIN: u64 = 5 << 20;
/// Used memory was this much more than it is now.
const PEAK_RATIO_MAX: f64 = 1.5;
/// Resident memory is this much more than what is used.
const FRAGMENTATION_MAX: f64 = 1.4;
/// A client holds this much on average.
const CLIENT_BYTES_MAX: u64 = 200 << 10;

fn doctor(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let b = Balance::take(call.server, &call.server.clients.list());
    let text = if b.used < JUDGED_BYTES_MIN {
        "There is too little data to judge: the server is empty or nearly so, and what it holds for \
         itself hides everything else. Ask again when it is in use.\n"
            .to_owned()
    } else {
        report(&b, call.server.clients.len())
    };
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// What is worth knowing, each with what can be done about it.
fn report(b: &Balance, clients: u64) -> String {
    let mut findings = Vec::new();
    if ratio(b.peak, b.used) > PEAK_RATIO_MAX {
        findings.push(
            " * Peak memory: memory in use was much higher in the past than it is now. Pages that are \
             partly used cannot be given back at once; MEMORY PURGE gives back what is free.",
        );
    }
    if b.fragmentation() > FRAGMENTATION_MAX {
        findings.push(
            " * High fragmentation: the process holds much more memory than its data needs. MEMORY \
             PURGE gives back what is free; a restart packs the data anew.",
        );
    }
    if b.clients / clients.max(1) > CLIENT_BYTES_MAX {
        findings.push(
            " * Big client buffers: clients hold much memory on average. Look for slow readers with \
             CLIENT LIST (omem, qbuf) and set client-output-buffer-limit.",
        );
    }
    if findings.is_empty() {
        return "No memory problem was found: what is in use, what was in use at most, and what the \
                process holds are in proportion.\n"
            .to_owned();
    }
    format!(
        "Something about this server's memory is worth a look:\n\n{}\n",
        findings.join("\n\n")
    )
}
