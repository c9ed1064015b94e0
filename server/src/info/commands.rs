//! The sections Commandstats, Errorstats and Latencystats.

use super::{Page, View};

pub(super) fn calls(page: &mut Page, view: &View<'_>) {
    let statistics = view.server.statistics();
    for command in view.server.commands.all() {
        let figures = statistics.command(command.id);
        if figures.calls == 0 && figures.rejected == 0 && figures.failed == 0 {
            continue;
        }
        let us = figures.ns / 1_000;
        let mean = if figures.calls == 0 {
            0.0
        } else {
            figures.ns as f64 / 1_000.0 / figures.calls as f64
        };
        page.field(
            format_args!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={us},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
                figures.calls, figures.rejected, figures.failed
            ),
        );
    }
}

pub(super) fn errors(page: &mut Page, view: &View<'_>) {
    for (prefix, count) in view.server.statistics().errors() {
        // A script can invent a prefix; what would cut the line is replaced.
        let prefix = prefix.replace([':', ',', '\r', '\n'], "_");
        page.field(
            format_args!("errorstat_{prefix}"),
            format_args!("count={count}"),
        );
    }
}

pub(super) fn latencies(page: &mut Page, view: &View<'_>) {
    let statistics = view.server.statistics();
    let live = view.server.live();
    for command in view.server.commands.all() {
        let Some(durations) = statistics.durations(command.id) else {
            continue;
        };
        let percentiles: Vec<String> = live
            .latency_percentiles
            .iter()
            .map(|&percent| {
                let us = durations.percentile_ns(percent) as f64 / 1_000.0;
                format!("p{percent}={us:.3}")
            })
            .collect();
        page.field(
            format_args!("latency_percentiles_usec_{}", command.full_name),
            percentiles.join(","),
        );
    }
}
