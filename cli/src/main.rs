//! `redstart-cli`: talks to a server from a terminal or a script, in `redis-cli`'s ways.
//!
//! | exit code | why |
//! |---|---|
//! | 0 | it has done what it was asked to, or answered a question |
//! | 1 | the command line, the connection, with `-e` an error reply; Ctrl-C |
//! | 141 | whoever read its output has gone |
//!
//! The parts are in `docs/design/cli.md`.
#![forbid(unsafe_code)]

mod connection;
mod help;
mod interrupt;
mod modes;
mod options;
mod out;
mod prompt;
mod session;
mod show;
mod uri;
mod usage;

use options::{Mode, Options};
use session::Session;
use std::io::{IsTerminal as _, Read as _};

fn main() {
    std::process::exit(run());
}

fn run() -> i32 {
    os::terminal::prepare();
    let words: Vec<Vec<u8>> = std::env::args_os()
        .skip(1)
        .map(|word| word.into_encoded_bytes())
        .collect();
    // Tests have no terminal to give.
    let terminal = std::io::stdout().is_terminal() || std::env::var_os("FAKETTY").is_some();
    let mut options = match options::parse(&words, terminal) {
        Ok(options) => options,
        Err(end) if end.code == 0 => {
            out::say(&end.text);
            return 0;
        }
        Err(end) => {
            eprint!("{}", end.text);
            return end.code;
        }
    };
    take_password(&mut options);
    let mut session = Session::new(options);
    if let Some(code) = modes::run(&mut session) {
        return code;
    }
    if session.options.words.is_empty() {
        prompt::run(&mut session);
        return 0;
    }
    one_command(&mut session)
}

/// The password of the command line, the environment or a question.
fn take_password(options: &mut Options) {
    if options.password.is_some() && options.warn_of_password {
        eprintln!(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
        );
    }
    if options.ask_password {
        options.password = prompt::ask_password("Please input password: ");
    } else if options.password.is_none() {
        options.password = std::env::var_os("REDISCLI_AUTH").map(|word| word.into_encoded_bytes());
    }
}

/// The command of the command line.
fn one_command(session: &mut Session) -> i32 {
    let words = match complete(&session.options) {
        Ok(words) => words,
        Err(code) => return code,
    };
    if words[0].eq_ignore_ascii_case(b"help") || words[0] == b"?" {
        // Without a server there is the general page.
        let _ = session.connect(true);
        let help = prompt::fetch_help(session);
        help::show(&help, &words[1..]);
        return 0;
    }
    debug_assert!(session.options.mode == Mode::Commands);
    // `issue` tries again and says what is wrong; a refused login does not keep the command back.
    let _ = session.connect(true);
    match session.issue(&words, session.options.repeat) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// The command's words with what comes from standard input.
fn complete(options: &Options) -> Result<Vec<Vec<u8>>, i32> {
    let mut words = options.words.clone();
    if options.quoted_input {
        for word in &mut words {
            *word = options::unquote(word).ok_or_else(|| {
                out::say("Invalid quoted string\n");
                1
            })?;
        }
    }
    if options.stdin_last {
        words.push(input()?);
    } else if let Some(tag) = &options.stdin_tag {
        let Some(word) = words.iter_mut().find(|word| *word == tag) else {
            eprintln!("Using -X option but stdin tag not match.");
            return Err(1);
        };
        *word = input()?;
    }
    Ok(words)
}

/// All of standard input.
fn input() -> Result<Vec<u8>, i32> {
    let mut bytes = Vec::new();
    match std::io::stdin().lock().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let text = os::files::error_text(&error);
            eprintln!("Reading from standard input: {text}");
            Err(1)
        }
    }
}
