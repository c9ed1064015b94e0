//! INFO's text: sections of `field:value` lines, in Redis's order.
//!
//!   # Section\r\n
//!   field:value\r\n …
//!   \r\n                      between sections
//!
//! A field that other people's dashboards read has Redis's name and unit. What does not exist here
//! yet and has a value that is true of a server without it (no replica, no save) is answered so; what
//! would have to be invented is left out (`gcc_version`, the allocator's `muzzy` pages).
//!
//! Sources of the names: what INFO of Redis 8.0 and Valkey 9.1 prints.
//! Checked by: tests below (every name once), transcripts, the foreign suites.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use crate::server::Server;

mod commands;
mod memory;
mod process;
mod state;
mod stats;

/// One section.
struct Section {
    title: &'static str,
    /// Part of what INFO without a word says.
    is_default: bool,
    /// Part of `all`; modules' own sections are only in `everything`.
    is_in_all: bool,
    write: fn(&mut Page, &View<'_>),
}

const fn section(title: &'static str, write: fn(&mut Page, &View<'_>)) -> Section {
    Section {
        title,
        is_default: true,
        is_in_all: true,
        write,
    }
}

const SECTIONS: &[Section] = &[
    section("Server", process::server),
    section("Clients", state::clients),
    section("Memory", memory::memory),
    section("Persistence", state::persistence),
    section("Threads", state::threads),
    section("Stats", stats::stats),
    section("Replication", state::replication),
    section("CPU", process::cpu),
    Section {
        is_in_all: false,
        ..section("Modules", |_, _| {})
    },
    Section {
        is_default: false,
        ..section("Commandstats", commands::calls)
    },
    section("Errorstats", commands::errors),
    Section {
        is_default: false,
        ..section("Latencystats", commands::latencies)
    },
    section("Cluster", |page, _| page.field("cluster_enabled", 0)),
    section("Keyspace", state::keyspace),
];

/// What the sections read, taken once so that they agree with each other.
struct View<'s> {
    server: &'s Arc<Server>,
    clients: Vec<Arc<crate::clients::Client>>,
    now_ms: i64,
}

/// The text under way.
struct Page {
    text: String,
}

impl Page {
    fn section(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.text, "# {title}\r\n");
    }

    fn field(&mut self, name: impl Display, value: impl Display) {
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    /// Bytes as a number and as people read them.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(format_args!("{name}_human"), human(bytes));
    }

    fn ratio(&mut self, name: &str, value: f64) {
        self.field(name, format_args!("{value:.2}"));
    }

    fn percent(&mut self, name: &str, part: u64, whole: u64) {
        let percent = if whole == 0 {
            0.0
        } else {
            part as f64 * 100.0 / whole as f64
        };
        self.field(name, format_args!("{percent:.2}%"));
    }
}

/// `1.50K`, `12.00M`: bytes for people.
#[must_use]
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    for unit in ["K", "M", "G", "T"] {
        if value < 1024.0 {
            return format!("{value:.2}{unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.2}P")
}

/// The sections that `words` name; no word means the default ones. Unknown words name nothing.
#[must_use]
pub fn text(server: &Arc<Server>, words: &[&[u8]], now_ms: i64) -> String {
    let named = |word: &str| {
        words
            .iter()
            .any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (all, everything) = (named("all"), named("everything"));
    let default = words.is_empty() || named("default");
    let view = View {
        server,
        clients: server.clients.list(),
        now_ms,
    };
    let mut page = Page {
        text: String::with_capacity(8 << 10),
    };
    for section in SECTIONS {
        if everything
            || (all && section.is_in_all)
            || (default && section.is_default)
            || named(section.title)
        {
            page.section(section.title);
            (section.write)(&mut page, &view);
        }
    }
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_572_864, "1.50M"),
            (3 << 30, "3.00G"),
            (1 << 40, "1.00T"),
            (1 << 50, "1.00P"),
        ] {
            assert_eq!(human(bytes), expected);
        }
    }
}
