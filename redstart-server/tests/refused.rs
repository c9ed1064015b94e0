//! The system refuses memory: -OOM where a client asked for it, an exit code of its own elsewhere.
//! Systems with a shell that knows `ulimit -v`.

mod common;

use common::{Client, Process, program};

/// Starts the server under an address-space limit in KiB.
fn limited(kib: u32) -> Process {
    let program = program().get_program().to_owned();
    Process::start_with(
        &["--io-threads", "2", "--jemalloc-bg-thread", "no"],
        move |command| {
            let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
            let folder = command
                .get_current_dir()
                .expect("set by the harness")
                .to_owned();
            let log = std::fs::File::options()
                .append(true)
                .open(folder.join("log"))
                .expect("the log");
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\"")])
                .arg(program)
                .args(words)
                .current_dir(folder)
                .stdout(log.try_clone().expect("the same file"))
                .stderr(log);
            *command = shell;
        },
    )
}

#[test]
fn a_size_that_a_client_chose_is_an_error_and_the_server_goes_on() {
    let server = limited(1_500_000);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("SETRANGE a 400000000 x"), ":400000001");
    // Each is another key, so that the sum passes the limit whatever one of them takes.
    for (command, rest) in [("SETRANGE", "500000000 x"), ("SETBIT", "4000000000 1")] {
        let replies: Vec<String> = (0..4)
            .map(|n| client.ask(&format!("{command} {command}{n} {rest}")))
            .collect();
        assert!(
            replies.iter().any(|reply| reply.starts_with("-OOM ")),
            "{command}: {replies:?}"
        );
    }
    assert_eq!(client.ask("PING"), "+PONG");
    assert_eq!(client.ask("SET k v"), "+OK");
    assert_eq!(client.ask("STRLEN a"), ":400000001");
}

#[test]
fn a_watched_key_is_copied_only_if_there_is_memory() {
    let server = limited(1_500_000);
    let mut client = Client::connect(server.address());
    let mut refused = 0;
    // The words of a request lie in memory too, so a few copies of such a key pass the limit.
    for n in 0..4 {
        let key = format!("{n}{}", "k".repeat(250_000_000));
        client.send(&format!("*2\r\n$5\r\nWATCH\r\n${}\r\n{key}\r\n", key.len()));
        let reply = client.line();
        refused += u32::from(reply.starts_with("-OOM "));
        assert!(reply == "+OK" || reply.starts_with("-OOM "), "{reply}");
    }
    assert!(refused > 0);
    assert_eq!(client.ask("UNWATCH"), "+OK");
    assert_eq!(client.ask("WATCH k"), "+OK");
    assert_eq!(client.ask("SET k v"), "+OK");
}

#[test]
fn any_other_refusal_ends_with_a_line_and_a_code() {
    let mut server = limited(400_000);
    let mut client = Client::connect(server.address());
    let value = "x".repeat(1000);
    // Small values until nothing is left: their sizes are not what a limit would be about.
    let mut at = 0;
    while server.child.try_wait().expect("our own child").is_none() && at < 3_000_000 {
        let batch: Vec<String> = (at..at + 100)
            .map(|n| format!("SET key:{n} {value}"))
            .collect();
        at += 100;
        if client.try_send(&batch.join("\r\n")).is_err() || client.drain(100).is_err() {
            break;
        }
    }
    assert_eq!(server.wait().code(), Some(12), "{}", server.log());
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("Out Of Memory: the system refused"))
        .unwrap_or_else(|| panic!("{log}"));
    for figure in ["used_memory:", "used_memory_rss:", "total_system_memory:"] {
        assert!(line.contains(figure), "{line}");
    }
}
