//! The banner that a terminal is greeted with, and the line that stands for it elsewhere.
//!
//! Redis's suite waits for ` PID: ` and the number, which the banner contains.

use std::io::IsTerminal as _;

use server::config::Config;
use server::log::{self, Level};

/// Shows the banner on a terminal or where `always-show-logo` asks for it; else writes a line.
pub(crate) fn show(config: &Config) {
    let mode = if config.flag("cluster-enabled") {
        "cluster"
    } else {
        "standalone"
    };
    let port = config.number("port");
    let to_terminal = config.path("logfile").is_none()
        && !config.flag("syslog-enabled")
        && std::io::stdout().is_terminal();
    if to_terminal || config.flag("always-show-logo") {
        log::raw(Level::Notice, banner(mode, port).as_bytes());
    } else {
        log::notice(format_args!("Running mode={mode}, port={port}."));
    }
}

fn banner(mode: &str, port: i64) -> String {
    format!(
        "
        .
       /|\\         Redstart {} (speaks Redis {}, {}/0) {} bit
    \\ / | \\ /
  ---  \\|/  ---     Running in {mode} mode
    / \\ | / \\       Port: {port}
       \\|/         PID: {}
        '

",
        server::VERSION,
        server::REDIS_VERSION,
        server::version::COMMIT,
        usize::BITS,
        std::process::id(),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn contains_what_the_suite_waits_for() {
        let text = super::banner("standalone", 6379);
        assert!(
            text.contains(&format!(" PID: {}\n", std::process::id())),
            "{text}"
        );
    }
}
