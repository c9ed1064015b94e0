//! The same command lines for both clients.

use crate::transcripts::parse::{Word, words};
use crate::wire::Client;
use crate::{Res, server, sh};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

/// What each run finds.
const KEYS: &[&[&[u8]]] = &[
    &[b"FLUSHALL"],
    &[b"SET", b"s", b"a\tb\n\xff"],
    &[b"SET", b"n", b"10"],
    &[b"RPUSH", b"l", b"one", b"two", b"th\"ree"],
    &[b"ZADD", b"z", b"1", b"a", b"2.5", b"b"],
    &[b"HSET", b"h", b"f\"1", b"v1", b"f2", b"v\n2"],
    &[b"SADD", b"set", b"1"],
];

/// A command line.
struct Case {
    line: usize,
    text: String,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    input: Vec<u8>,
}

/// Runs every line with both, against Redis's server and ours.
pub(super) fn run(binary: &Path, cli: &Path) -> Res<()> {
    let text = sh::read(&sh::root().join("tests/cli/beside.txt"))?;
    let cases = parse(&text)?;
    let theirs = sh::which("redis-cli").ok_or("there is no redis-cli")?;
    let reference = sh::which("redis-server").ok_or("there is no redis-server")?;
    let mut wrong = Vec::new();
    let loopback = [server::VOLATILE, super::LOOPBACK].concat();
    for (name, program) in [("redis-server", reference.as_path()), ("ours", binary)] {
        let mut process = server::Server::start(program, &loopback)?;
        for case in &cases {
            let outputs: Vec<String> = [theirs.as_path(), cli]
                .iter()
                .map(|client| case.run(client, &process).map(|output| shown(&output)))
                .collect::<Res<_>>()?;
            if outputs[0] != outputs[1] {
                wrong.push(format!(
                    "beside.txt:{} against {name}: {}\n  redis-cli says\n{}\n  redstart-cli says\n{}",
                    case.line, case.text, outputs[0], outputs[1]
                ));
            }
        }
        process.died().map_or(Ok(()), Err)?;
    }
    println!(
        "client: {} lines beside redis-cli, two servers",
        cases.len()
    );
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

impl Case {
    fn run(&self, client: &Path, process: &server::Server) -> Res<Output> {
        prepare(process.port())?;
        let port = process.port().to_string();
        let arguments = self
            .arguments
            .iter()
            .map(|word| word.replace("$PORT", &port));
        let mut command = Command::new(client);
        command
            .args(["-p", &port])
            .args(arguments)
            .env_remove("REDISCLI_AUTH")
            .env("REDISCLI_HISTFILE", "/dev/null")
            .env("REDISCLI_RCFILE", "/dev/null")
            .env("TERM", "dumb")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |e: std::io::Error| format!("beside.txt:{}: {e}", self.line);
        let mut child = command.spawn().map_err(failed)?;
        let mut stdin = child.stdin.take().ok_or("no pipe")?;
        // A program that reads nothing may be gone already.
        let _ = stdin.write_all(&self.input);
        drop(stdin);
        child.wait_with_output().map_err(failed)
    }
}

fn prepare(port: u16) -> Res<()> {
    let mut client = Client::connect(port, DEADLINE)?;
    for words in KEYS {
        client.ask(words)?;
    }
    Ok(())
}

fn shown(output: &Output) -> String {
    format!(
        "    out:  {}\n    err:  {}\n    code: {:?}",
        output.stdout.escape_ascii(),
        output.stderr.escape_ascii(),
        output.status.code()
    )
}

fn parse(text: &str) -> Res<Vec<Case>> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| case(number, line).map_err(|e| format!("beside.txt:{number}: {e}")))
        .collect()
}

fn case(line: usize, text: &str) -> Res<Case> {
    let mut case = Case {
        line,
        text: text.to_string(),
        environment: Vec::new(),
        arguments: Vec::new(),
        input: Vec::new(),
    };
    let mut is_input = false;
    for word in words(text)? {
        let bytes = match word {
            Word::Bytes(bytes) => bytes,
            Word::Variable(name) => format!("${name}").into_bytes(),
        };
        if is_input {
            case.input = bytes;
            continue;
        }
        let word = String::from_utf8(bytes).map_err(|_| "arguments are UTF-8 here")?;
        match word.split_once('=') {
            _ if word == "<" => is_input = true,
            Some((name, value))
                if case.arguments.is_empty()
                    && name.chars().all(|c| c.is_ascii_uppercase() || c == '_') =>
            {
                case.environment.push((name.into(), value.into()));
            }
            _ => case.arguments.push(word),
        }
    }
    Ok(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_three_parts() {
        let case = case(1, r#"FAKETTY=1 set a=b "c d" < "x\n""#).expect("fine");
        assert_eq!(case.environment, [("FAKETTY".into(), "1".into())]);
        assert_eq!(case.arguments, ["set", "a=b", "c d"]);
        assert_eq!(case.input, b"x\n");
    }
}
