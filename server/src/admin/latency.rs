//! LATENCY: DOCTOR, GRAPH, HISTOGRAM, HISTORY, LATEST, RESET. Spikes are kept in `crate::latency`,
//! which also tells of them in words and pictures, histograms in `crate::stats`; here are the rows.
//!
//! Checked by: tests below, tests/transcripts/server/latency.txt.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::Reply;

use super::{AdminCall, Handler, help_lines};
use crate::latency::{doctor as words, graph as picture};
use crate::stats::Durations;
use crate::table::Command;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&LATENCY];

/// LATENCY DOCTOR | GRAPH | HELP | HISTOGRAM | HISTORY | LATEST | RESET
const LATENCY: CommandSpec<Handler> = CommandSpec {
    name: "latency",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "2.8.13",
    summary: "Tells how long commands and the server's own work took.",
    complexity: "Depends on subcommand.",
    subcommands: &[DOCTOR, GRAPH, HELP, HISTOGRAM, HISTORY, LATEST, RESET],
    ..CommandSpec::row(help)
};

/// What the subcommands have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "2.8.13",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ],
    ..CommandSpec::row(help)
};

/// LATENCY DOCTOR
const DOCTOR: CommandSpec<Handler> = CommandSpec {
    name: "doctor",
    arity: Arity::Exactly(2),
    summary: "Tells in words what the spikes say and what can be done about them.",
    run: doctor,
    ..BASE
};

fn doctor(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let settings = words::Settings {
        threshold_ms: call.desk.live.latency_monitor_threshold_ms,
        slowlog_us: call.desk.live.slowlog_slower_than_us,
    };
    let now_unix_s = call.desk.clock_ms.div_euclid(1_000);
    let text = words::report(&call.server.latency.all(), settings, now_unix_s);
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// LATENCY GRAPH event
const GRAPH: CommandSpec<Handler> = CommandSpec {
    name: "graph",
    arity: Arity::Exactly(3),
    summary: "Draws the spikes of an event.",
    syntax: "event",
    run: graph,
    ..BASE
};

fn graph(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let event = call.text(2);
    let Some(spikes) = call.server.latency.event(&event) else {
        let text = format!("ERR No samples available for event '{event}'");
        return Err(CommandError::Text(text.into()));
    };
    let now_unix_s = call.desk.clock_ms.div_euclid(1_000);
    let text = picture::draw(&event, &spikes, now_unix_s);
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// LATENCY HISTOGRAM [command [command …]]
const HISTOGRAM: CommandSpec<Handler> = CommandSpec {
    name: "histogram",
    arity: Arity::AtLeast(2),
    since: "7.0.0",
    summary: "Tells how the durations of commands are distributed.",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    syntax: "[command [command ...]]",
    run: histogram,
    ..BASE
};

/// A container stands for its subcommands; what is no command, or never ran, is left out.
fn histogram(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let table = &call.server.commands;
    let mut asked: Vec<&Command> = Vec::new();
    if call.args.len() == 2 {
        asked.extend(table.all());
    }
    for word in call.args.skip(2).iter() {
        let named = std::str::from_utf8(word)
            .ok()
            .and_then(|name| table.by_full_name(name));
        let Some(command) = named else { continue };
        asked.push(command);
        asked.extend(command.subcommands.iter().map(|&id| table.command(id)));
    }
    let statistics = call.server.statistics();
    let found: Vec<(&Command, Durations)> = asked
        .into_iter()
        .filter_map(|command| Some((command, statistics.durations(command.id)?)))
        .collect();
    call.reply.map(found.len());
    for (command, durations) in found {
        call.reply.bulk(command.full_name.as_bytes());
        write_durations(call.reply, &durations);
    }
    Ok(())
}

/// The shortest duration that is told apart, and each further one is its double: in ns, so that the
/// µs that clients see are Redis's (1, 2, 4, 8, 16, 33, 66, …).
const FIRST_NS: u64 = 1024;
/// Doublings of it up to beyond the longest duration that a histogram holds.
const DOUBLINGS: u32 = 32;

/// How many calls took up to each duration; a duration that adds none is left out.
fn write_durations(reply: &mut Reply, durations: &Durations) {
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(durations.count().cast_signed());
    reply.bulk(b"histogram_usec");
    let steps = cumulative(|ns| durations.at_most_ns(ns));
    reply.map(steps.len());
    for (us, count) in steps {
        reply.int(us.cast_signed());
        reply.int(count.cast_signed());
    }
}

fn cumulative(at_most_ns: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
    let mut told = 0;
    let mut steps = Vec::new();
    for doublings in 0..DOUBLINGS {
        let ns = FIRST_NS << doublings;
        let count = at_most_ns(ns);
        if count > told {
            told = count;
            // The end of the bucket that begins at `ns`; Redis's have 128 to a doubling.
            steps.push(((ns + ns / 128 - 1) / 1_000, count));
        }
    }
    steps
}

/// LATENCY HISTORY event
const HISTORY: CommandSpec<Handler> = CommandSpec {
    name: "history",
    arity: Arity::Exactly(3),
    summary: "Gives the spikes of an event, each with its time.",
    syntax: "event",
    run: history,
    ..BASE
};

fn history(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let spikes = call.server.latency.event(&call.text(2)).unwrap_or_default();
    call.reply.array(spikes.samples.len());
    for sample in &spikes.samples {
        call.reply.array(2);
        call.reply.int(sample.unix_s);
        call.reply.int(sample.latency_ms.cast_signed());
    }
    Ok(())
}

/// LATENCY LATEST
const LATEST: CommandSpec<Handler> = CommandSpec {
    name: "latest",
    arity: Arity::Exactly(2),
    summary: "Gives the newest and the worst spike of every event.",
    run: latest,
    ..BASE
};

fn latest(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let events = call.server.latency.all();
    call.reply.array(events.len());
    for (event, spikes) in events {
        let newest = spikes.samples.back().expect("an event begins with a spike");
        call.reply.array(4);
        call.reply.bulk(event.as_bytes());
        call.reply.int(newest.unix_s);
        call.reply.int(newest.latency_ms.cast_signed());
        call.reply.int(spikes.max_ms.cast_signed());
    }
    Ok(())
}

/// LATENCY RESET [event [event …]]
const RESET: CommandSpec<Handler> = CommandSpec {
    name: "reset",
    arity: Arity::AtLeast(2),
    summary: "Forgets the spikes of all events, or of those named.",
    syntax: "[event [event ...]]",
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    run: reset,
    ..BASE
};

/// Answers how many events were forgotten.
fn reset(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let monitor = &call.server.latency;
    let count = if call.args.len() == 2 {
        monitor.reset_all()
    } else {
        (2..call.args.len())
            .filter(|&i| monitor.reset(&call.text(i)))
            .count()
    };
    call.reply.int(count.cast_signed() as i64);
    Ok(())
}

/// LATENCY HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    summary: "Lists the subcommands.",
    tips: &[],
    ..BASE
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_redis_steps_and_none_is_lost() {
        let calls: [u64; 6] = [900, 1_500, 40_000, 41_000, 3_000_000_000, 1 << 41];
        let at_most = |ns| calls.iter().filter(|&&took| took <= ns).count() as u64;
        let expected = [(1, 1), (2, 2), (66, 4), (4_328_521, 5), (2_216_203_124, 6)];
        assert_eq!(cumulative(at_most), expected);
    }
}
