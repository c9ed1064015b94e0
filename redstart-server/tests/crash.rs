//! Crashed processes: what is in the log, and what the parent sees. POSIX systems with `kill`.

mod common;

use common::{Process, until};

fn check_ended_by(server: &mut Process, signal: u32) {
    let status = server.wait().to_string();
    assert!(
        status.starts_with(&format!("signal: {signal} ")),
        "{status}\n{}",
        server.log()
    );
}

#[test]
fn a_fatal_signal_is_reported_and_ends_the_process_by_itself() {
    for (name, number) in [
        ("SEGV", 11),
        ("BUS", 7),
        ("FPE", 8),
        ("ILL", 4),
        ("ABRT", 6),
    ] {
        let mut server = Process::start(&[]);
        assert_eq!(server.ask("PING"), "+PONG");
        server.signal(name);
        check_ended_by(&mut server, number);
        let log = server.log();
        for part in [
            "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
            &format!("crashed by signal: {number}, si_code: 0"),
            "------ STACK TRACE ------",
            "------ INFO OUTPUT ------",
            "redis_version:7.2.4",
            "cmdstat_ping:calls=1,",
            "# Keyspace",
            "------ FAST MEMORY TEST ------",
            "=== REDIS BUG REPORT END. Make sure to include from START to END. ===",
        ] {
            assert_eq!(log.matches(part).count(), 1, "{part:?} in\n{log}");
        }
    }
}

#[test]
fn the_report_can_be_switched_off_and_shortened() {
    let mut server = Process::start(&["--crash-memcheck-enabled", "no"]);
    server.signal("SEGV");
    check_ended_by(&mut server, 11);
    assert!(server.log().contains("BUG REPORT END") && !server.log().contains("MEMORY TEST"));
    let mut server = Process::start(&[]);
    assert_eq!(server.ask("CONFIG SET crash-log-enabled no"), "+OK");
    server.signal("SEGV");
    check_ended_by(&mut server, 11);
    assert!(!server.log().contains("BUG REPORT"), "{}", server.log());
}

#[test]
fn the_report_goes_into_the_log_file() {
    let mut server = Process::start(&["--logfile", "file"]);
    until("it is ready", || {
        common::read(&server.path("file")).contains("Ready")
    });
    server.signal("SEGV");
    check_ended_by(&mut server, 11);
    assert!(common::read(&server.path("file")).contains("crashed by signal: 11"));
    assert_eq!(server.log(), "");
}
