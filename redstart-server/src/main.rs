//! `redstart-server`: understands its command line and does what it says.
//!
//! | exit code | why |
//! |---|---|
//! | 0 | it has served and stopped in order, or answered a question |
//! | 1 | the configuration or the log file; a data file that cannot be loaded; the command line makes no sense |
//! | 1 | `--check-rdb`, or a name with `check-rdb` in it: the file is not sound (`check_rdb.rs`) |
//! | 1 | the same of `check-aof` (`check_aof.rs`) |
//! | 2 | `--test-memory` or `--check-system` found something |
//! | 3 | it cannot enter `dir` |
//! | 4 | it cannot listen |
//! | 5 | the system gives no thread, event loop or process |
//! | 12 | the system refused memory that it could not do without |
//! | by signal | it crashed; the report is in the log |

mod banner;
mod check_aof;
mod check_rdb;
mod exit;
mod memory_test;
mod serve;

use exit::Exit;
use server::config::command_line::{self, Request};
use std::io::Write as _;

/// Everything that the process allocates is counted.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

fn main() {
    let words_os: Vec<_> = std::env::args_os().skip(1).collect();
    if os::process::program_name().contains("check-rdb") {
        std::process::exit(check_rdb::main(&words_os));
    }
    if os::process::program_name().contains("check-aof") {
        std::process::exit(check_aof::main(&words_os));
    }
    if let [first, rest @ ..] = words_os.as_slice() {
        if first == "--check-rdb" {
            std::process::exit(check_rdb::main(rest));
        }
        if first == "--check-aof" {
            std::process::exit(check_aof::main(rest));
        }
    }
    let words: Vec<Vec<u8>> = words_os
        .iter()
        .map(|word| word.as_encoded_bytes().to_vec())
        .collect();
    let exit = match command_line::parse(&words) {
        Request::Version => say(&format!("{}\n", server::version::line())),
        Request::Help => say(USAGE),
        Request::TestMemory(megabytes) => memory_test::run(megabytes),
        Request::CheckSystem => check_system(),
        Request::Wrong(text) => {
            eprint!("{text}");
            Exit::Configuration
        }
        Request::Serve(sources) => serve::run(&sources).unwrap_or_else(|exit| exit),
    };
    server::log::flush();
    std::process::exit(exit.code());
}

/// Writes to standard output; a reader that has gone is no failure.
fn say(text: &str) -> Exit {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Fine
}

/// `--check-system`: settings of the machine that will hurt.
fn check_system() -> Exit {
    let concerns = os::host::concerns();
    for concern in &concerns {
        println!("[{}] {}", concern.name, concern.text);
    }
    if os::host::has_huge_pages_always() {
        println!("[THP] {}", os::host::huge_pages_warning());
    }
    if concerns.is_empty() {
        Exit::Fine
    } else {
        Exit::Found
    }
}

const USAGE: &str = "\
Usage: redstart-server [/path/to/redis.conf] [options] [-]
       redstart-server - (read config from stdin)
       redstart-server -v or --version
       redstart-server -h or --help
       redstart-server --test-memory <megabytes>
       redstart-server --check-system
       redstart-server --check-rdb <rdb-file-name>
       redstart-server --check-aof [--fix] <manifest-or-file-name>
       redstart-server [/path/to/redis.conf] [options] --check-config

Examples:
       redstart-server (run the server with default conf)
       echo 'maxmemory 128mb' | redstart-server -
       redstart-server /etc/redis/6379.conf
       redstart-server --port 7777
       redstart-server /etc/myredis.conf --loglevel verbose -
       redstart-server /etc/myredis.conf --loglevel verbose
";
