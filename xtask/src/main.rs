//! `cargo xtask VERB`: the project's own commands.
//!
//! A verb is a row in `VERBS`; the table feeds both the dispatch and the help,
//! so neither can forget the other. Working files go to `.work/` at the root
//! (ignored by git) or below `target/`; what is big and worth keeping between
//! checkouts (the Wine folder) goes to `$REDSTART_CACHE`, by default
//! `~/.cache/redstart`. Nothing here knows a mirror or a registry by name: the
//! Debian mirror is the one that the machine's own apt sources name.
//!
//! Errors are texts for a person, hence `Res<T>` with a `String`: nobody
//! handles them, the top prints them and exits with 1 (an empty one has been
//! told already).
#![forbid(unsafe_code)]

mod bench;
mod campaign;
mod client;
mod cross;
mod debian;
mod differential;
mod fakeredis;
mod fuzz;
mod limits;
mod peers;
mod pressure;
mod python;
mod redis_py;
mod redis_suite;
mod server;
mod sh;
mod test;
mod tidy;
mod transcripts;
mod wine;
mod wire;

use std::process::ExitCode;

/// What a verb gives back; the error is a sentence for the person who called.
pub(crate) type Res<T> = Result<T, String>;

/// One verb: its name, one line of help, the rest of its help, its function.
struct Verb {
    name: &'static str,
    about: &'static str,
    usage: &'static str,
    run: fn(&[String]) -> Res<()>,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "test",
        about: "run everything that CI runs",
        usage: test::USAGE,
        run: test::main,
    },
    Verb {
        name: "tidy",
        about: "check the house's rules",
        usage: tidy::USAGE,
        run: tidy::main,
    },
    Verb {
        name: "transcripts",
        about: "play tests/transcripts/** against our server or a reference",
        usage: transcripts::USAGE,
        run: transcripts::main,
    },
    Verb {
        name: "redis-suite",
        about: "run Redis's own Tcl suite against our server",
        usage: redis_suite::USAGE,
        run: redis_suite::main,
    },
    Verb {
        name: "differential",
        about: "random commands, our server beside a reference",
        usage: differential::USAGE,
        run: differential::main,
    },
    Verb {
        name: "limits",
        about: "hostile input, refused memory, many clients, crashes, stops",
        usage: limits::USAGE,
        run: limits::main,
    },
    Verb {
        name: "redis-py",
        about: "run the tests of the Python client against our server",
        usage: redis_py::USAGE,
        run: redis_py::main,
    },
    Verb {
        name: "fakeredis",
        about: "run fakeredis's property tests with our server as the real one",
        usage: fakeredis::USAGE,
        run: fakeredis::main,
    },
    Verb {
        name: "fuzz",
        about: "run the fuzz targets for a bounded time",
        usage: fuzz::USAGE,
        run: fuzz::main,
    },
    Verb {
        name: "bench",
        about: "measure our server beside its peers",
        usage: bench::USAGE,
        run: bench::main,
    },
    Verb {
        name: "campaign",
        about: "list or run what does not fit into CI",
        usage: campaign::USAGE,
        run: campaign::main,
    },
    Verb {
        name: "peers",
        about: "fetch Debian sid's Valkey and Redis to measure against (not for CI)",
        usage: peers::USAGE,
        run: peers::main,
    },
    Verb {
        name: "cross",
        about: "build the Windows executable and check what it imports",
        usage: cross::USAGE,
        run: cross::main,
    },
    Verb {
        name: "client",
        about: "redstart-cli beside redis-cli, on a terminal, as a replica",
        usage: client::USAGE,
        run: client::main,
    },
    Verb {
        name: "wine",
        about: "smoke-test the Windows executable under Wine",
        usage: wine::USAGE,
        run: wine::main,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = arguments.first().map(String::as_str) else {
        print_overview();
        return ExitCode::from(2);
    };
    if matches!(name, "help" | "--help" | "-h") {
        match arguments.get(1).and_then(|wanted| find(wanted)) {
            Some(verb) => print_verb(verb),
            None => print_overview(),
        }
        return ExitCode::SUCCESS;
    }
    let Some(verb) = find(name) else {
        eprintln!("xtask: no verb '{name}'");
        print_overview();
        return ExitCode::from(2);
    };
    let rest = &arguments[1..];
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        print_verb(verb);
        return ExitCode::SUCCESS;
    }
    match (verb.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            if !text.is_empty() {
                eprintln!("xtask {name}: {text}");
            }
            ExitCode::FAILURE
        }
    }
}

fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

fn print_overview() {
    println!("usage: cargo xtask VERB [options]   (cargo xtask help VERB says more)\n");
    for verb in VERBS {
        println!("  {:<12} {}", verb.name, verb.about);
    }
}

fn print_verb(verb: &Verb) {
    println!(
        "cargo xtask {}: {}\n\n{}",
        verb.name,
        verb.about,
        verb.usage.trim_end()
    );
}
