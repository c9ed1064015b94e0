//! DEBUG and SHUTDOWN from outside: who may, what the ends look like that DEBUG provokes, and that
//! SHUTDOWN is an orderly one. POSIX systems.

mod common;

use common::{Client, Process, until};
use std::time::{Duration, Instant};

/// A server on which DEBUG is allowed, and options.
fn debuggable(options: &[&str]) -> Process {
    let mut words = vec!["--enable-debug-command", "yes"];
    words.extend_from_slice(options);
    Process::start(&words)
}

/// Sends what ends the server; gives its status and its log.
fn end_with(mut server: Process, line: &str) -> (std::process::ExitStatus, String) {
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("CLIENT SETNAME culprit"), "+OK");
    client.send(line);
    (server.wait(), server.log())
}

fn check_ended_by(status: std::process::ExitStatus, signal: u32, log: &str) {
    let status = status.to_string();
    assert!(
        status.starts_with(&format!("signal: {signal} ")),
        "{status}\n{log}"
    );
}

fn check_report(log: &str, parts: &[&str]) {
    for part in parts {
        assert_eq!(log.matches(part).count(), 1, "{part:?} in\n{log}");
    }
}

#[test]
fn debug_is_refused_unless_it_is_allowed() {
    let refusal = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
                   you can run it from a local connection, otherwise you need to set this option in the \
                   configuration file, and then restart the server.";
    let server = Process::start(&[]);
    assert_eq!(server.ask("DEBUG SLEEP 0"), refusal);
    assert_eq!(server.ask("DEBUG SEGFAULT"), refusal);
    assert_eq!(
        server.ask("CONFIG SET enable-debug-command yes"),
        "-ERR CONFIG SET failed (possibly related to argument 'enable-debug-command') - can't set immutable config"
    );
    let server = Process::start(&["--enable-debug-command", "local"]);
    assert_eq!(server.ask("DEBUG SLEEP 0"), "+OK");
}

#[test]
fn it_begins_anew_with_the_same_words() {
    let mut server = debuggable(&["--maxclients", "77"]);
    let pid = server.child.id().to_string();
    for (runs, line, least) in [
        (1, "DEBUG RESTART", Duration::ZERO),
        (2, "DEBUG CRASH-AND-RECOVER 300", Duration::from_millis(300)),
    ] {
        let mut client = Client::connect(server.address());
        assert_eq!(client.ask(&format!("SET k {runs}")), "+OK");
        let field = |info: &str, name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let run_id = field(&client.ask("INFO server"), "run_id:");
        assert!(run_id.is_some());
        let began = Instant::now();
        client.send(line);
        assert!(!client.has_more(), "it closes without a word");
        until("another run", || {
            let log = server.log();
            let begun = log.matches("just started").count();
            log.matches("Ready to accept connections tcp").count() == begun && begun == runs + 1
        });
        assert!(began.elapsed() >= least);
        let mut client = Client::connect(server.address());
        let info = client.ask("INFO server");
        assert_ne!(field(&info, "run_id:"), run_id);
        assert_eq!(field(&info, "process_id:").as_deref(), Some(&*pid));
        assert_eq!(client.ask("CONFIG GET maxclients"), "maxclients 77");
        assert_eq!(client.ask("GET k"), "1", "only the orderly end saves");
    }
    assert_eq!(server.log().matches("Redis begins anew.").count(), 2);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "signals are heard as before");
}

#[test]
fn replication_ids_are_changed() {
    let server = debuggable(&[]);
    let id = || {
        let info = server.ask("INFO replication");
        let line = info.lines().find(|line| line.starts_with("master_replid:"));
        line.expect("a field").to_owned()
    };
    let first = id();
    assert_eq!(id(), first);
    assert_eq!(server.ask("DEBUG CHANGE-REPL-ID"), "+OK");
    assert_ne!(id(), first);
}

#[test]
fn what_came_through_standard_input_cannot_come_again() {
    let server = Process::start_with(&["--enable-debug-command", "yes", "-"], |command| {
        command.stdin(std::process::Stdio::null());
    });
    for line in ["DEBUG RESTART", "DEBUG CRASH-AND-RECOVER"] {
        assert_eq!(
            server.ask(line),
            "-ERR failed to restart the server. Check server logs."
        );
    }
    assert_eq!(server.ask("PING"), "+PONG");
}

#[test]
fn a_segfault_leaves_a_report_that_names_client_and_command() {
    let (status, log) = end_with(debuggable(&[]), "DEBUG SEGFAULT");
    check_ended_by(status, 11, &log);
    check_report(
        &log,
        &[
            "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
            "crashed by signal: 11",
            "Accessing address: 0x",
            "------ STACK TRACE ------",
            "------ INFO OUTPUT ------",
            "redis_version:7.2.4",
            "------ CURRENT CLIENT INFO ------",
            " name=culprit ",
            "\ncommand: debug\n",
            "------ CONFIG DEBUG OUTPUT ------",
            "=== REDIS BUG REPORT END. Make sure to include from START to END. ===",
        ],
    );
    // The stack reaches from the fault to the worker.
    assert!(log.contains("segfault") && log.contains("worker"), "{log}");
}

#[test]
fn a_panic_ends_the_process_with_its_report() {
    for (line, words) in [
        ("DEBUG PANIC", "Guru Meditation: called by Unit Test"),
        ("DEBUG ASSERT", "Guru Meditation: assertion failed: 1 == 2"),
    ] {
        let (status, log) = end_with(debuggable(&[]), line);
        check_ended_by(status, 6, &log);
        check_report(
            &log,
            &[
                "REDIS BUG REPORT START",
                words,
                "------ STACK TRACE ------",
                " name=culprit ",
                "\ncommand: debug\n",
                "REDIS BUG REPORT END",
            ],
        );
    }
    let (status, _) = end_with(debuggable(&["--use-exit-on-panic", "yes"]), "DEBUG PANIC");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn without_a_crash_log_the_end_is_the_same() {
    for (line, signal) in [("DEBUG SEGFAULT", 11), ("DEBUG PANIC", 6)] {
        let (status, log) = end_with(debuggable(&["--crash-log-enabled", "no"]), line);
        check_ended_by(status, signal, &log);
        assert!(!log.contains("BUG REPORT"), "{log}");
    }
}

#[test]
fn out_of_memory_has_a_line_and_a_code() {
    let (status, log) = end_with(debuggable(&[]), "DEBUG OOM");
    assert_eq!(status.code(), Some(12), "{log}");
    check_report(&log, &["Out Of Memory: the system refused"]);
}

#[test]
fn memory_over_the_limit_is_refused_to_writers_alone() {
    let server = debuggable(&[]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("SET before x"), "+OK");
    assert_eq!(client.ask("DEBUG POPULATE 1000 key 1000"), "+OK");
    assert_eq!(client.ask("CONFIG SET maxmemory 1000"), "+OK");
    let refusal = "-OOM command not allowed when used memory > 'maxmemory'.";
    for line in ["SET k v", "APPEND before y", "SETRANGE before 10 z"] {
        assert_eq!(client.ask(line), refusal, "{line}");
    }
    assert_eq!(client.ask("GET before"), "x");
    assert_eq!(client.ask("DEL before"), ":1");
    assert_eq!(client.ask("CONFIG SET maxmemory 0"), "+OK");
    assert_eq!(client.ask("SET k v"), "+OK");
    assert_eq!(client.ask("DBSIZE"), ":1001");
}

#[test]
fn sleep_stops_every_worker_and_the_watchdog_sees_it() {
    let server = debuggable(&["--io-threads", "4", "--watchdog-period", "0"]);
    let mut sleeper = Client::connect(server.address());
    // One more connection a worker, spread over all of them.
    let mut others: Vec<Client> = (0..8).map(|_| Client::connect(server.address())).collect();
    for client in &mut others {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    assert_eq!(sleeper.ask("CONFIG SET watchdog-period 200"), "+OK");
    let began = Instant::now();
    sleeper.send("DEBUG SLEEP 1");
    std::thread::sleep(Duration::from_millis(200));
    let answers: Vec<Duration> = std::thread::scope(|scope| {
        let waiting: Vec<_> = others
            .iter_mut()
            .map(|client| {
                scope.spawn(move || {
                    assert_eq!(client.ask("PING"), "+PONG");
                    began.elapsed()
                })
            })
            .collect();
        waiting
            .into_iter()
            .map(|thread| thread.join().expect("it is answered"))
            .collect()
    });
    assert!(
        answers.iter().all(|&at| at >= Duration::from_millis(900)),
        "{answers:?}"
    );
    assert_eq!(sleeper.ask(""), "+OK");
    until("the watchdog's report", || {
        server.log().contains("--- WATCHDOG TIMER EXPIRED ---")
    });
    assert_eq!(sleeper.ask("CONFIG SET watchdog-period 0"), "+OK");
}

#[test]
fn expiry_and_timers_can_be_held() {
    let server = debuggable(&[]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("DEBUG SET-ACTIVE-EXPIRE 0"), "+OK");
    assert_eq!(client.ask("SET k v PX 1"), "+OK");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(client.ask("DBSIZE"), ":1");
    assert_eq!(client.ask("DEBUG PAUSE-CRON 1"), "+OK");
    assert_eq!(client.ask("DEBUG SET-ACTIVE-EXPIRE 1"), "+OK");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(client.ask("DBSIZE"), ":1");
    assert_eq!(client.ask("DEBUG PAUSE-CRON 0"), "+OK");
    until("the key expires by itself", || client.ask("DBSIZE") == ":0");
}

#[test]
fn shutdown_ends_in_order() {
    for line in [
        "SHUTDOWN",
        "SHUTDOWN NOSAVE NOW FORCE",
        "shutdown nosave safe",
    ] {
        let mut server = Process::start(&[]);
        let mut client = Client::connect(server.address());
        // What stands behind SHUTDOWN is not served any more.
        client.send(&format!("SET k v\r\n{line}\r\nSET k w"));
        assert_eq!(client.ask(""), "+OK", "{line}");
        assert!(client.drain(1).is_err(), "{line}");
        assert_eq!(server.wait().code(), Some(0), "{line}\n{}", server.log());
        let log = server.log();
        check_report(&log, &["User requested shutdown...", "bye bye..."]);
        assert!(!log.contains("BUG REPORT"), "{log}");
    }
    let server = Process::start(&[]);
    assert_eq!(
        server.ask("SHUTDOWN ABORT"),
        "-ERR No shutdown in progress."
    );
    assert_eq!(server.ask("SHUTDOWN SAVE NOSAVE"), "-ERR syntax error");
    assert_eq!(server.ask("PING"), "+PONG");
}
