//! CLIENT between clients of several workers: KILL, PAUSE, MONITOR. What one connection can see by
//! itself is in tests/transcripts/connection/client.txt.

mod common;

use common::{Client, TestServer, until};
use server::Live;

const WORKERS: usize = 4;

/// A server of several workers and clients on all of them.
fn crowd(clients: usize) -> (TestServer, Vec<Client>) {
    let server = TestServer::with(WORKERS, Live::default());
    let mut clients: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("PING"), "+PONG");
    }
    (server, clients)
}

/// The pattern that Redis 8.0's own tests match, field by field; 7.0's has no `watch=`. `fd` is a
/// descriptor of this very process.
#[test]
fn a_client_s_line_has_redis_8_s_fields_in_their_order() {
    let (_server, mut clients) = crowd(1);
    let check = |line: &str, command: &str| {
        let line = line.trim_start_matches('$').trim_end();
        let names: Vec<&str> = line
            .split(' ')
            .map(|field| field.split_once('=').expect("name=value").0)
            .collect();
        assert_eq!(
            names.join(" "),
            "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem \
             multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver \
             io-thread tot-net-in tot-net-out tot-cmds"
        );
        let value = |name: &str| {
            let field = line.split(' ').find_map(|f| f.strip_prefix(name));
            field.expect("it is there").to_owned()
        };
        for (name, expected) in [
            ("db=", "0"),
            ("multi=", "-1"),
            ("watch=", "2"),
            ("flags=", "N"),
            ("user=", "default"),
            ("resp=", "2"),
            ("cmd=", command),
        ] {
            assert_eq!(value(name), expected, "{name} in {line}");
        }
        let descriptor: i64 = value("fd=").parse().expect("a number");
        assert!(descriptor > 0, "{line}");
        // Where the system shows a process its descriptors.
        if std::path::Path::new("/proc/self/fd").exists() {
            let target = std::fs::read_link(format!("/proc/self/fd/{descriptor}"));
            let target = target.expect("it is ours").to_string_lossy().into_owned();
            assert!(target.starts_with("socket:"), "{target}");
        }
    };
    let client = &mut clients[0];
    assert_eq!(client.line("WATCH a b a"), "+OK");
    check(&client.line("CLIENT INFO"), "client|info");
    check(&client.line("CLIENT LIST"), "client|list");
}

#[test]
fn who_is_killed_runs_nothing_more_on_whatever_worker() {
    let (server, mut clients) = crowd(12);
    let mut killer = server.connect();
    assert_eq!(killer.line("CLIENT KILL TYPE normal SKIPME yes"), ":12");
    // Claimed, so not there any more, though their workers may still have to close them.
    assert_eq!(killer.line("CLIENT KILL TYPE normal SKIPME yes"), ":0");
    let list = killer.line("CLIENT LIST");
    assert_eq!(
        list.matches("addr=").count(),
        2,
        "addr and laddr of one: {list}"
    );
    for client in &mut clients {
        client.send(b"SET k 1\r\n");
        assert_eq!(client.until_end(), "");
    }
    assert_eq!(killer.line("GET k"), "nil");
}

#[test]
fn a_pause_holds_writes_of_all_workers_and_lets_them_go_together() {
    let (server, mut writers) = crowd(8);
    let mut boss = server.connect();
    assert_eq!(boss.line("CLIENT PAUSE 100000 WRITE"), "+OK");
    for writer in &mut writers {
        writer.send(b"INCR n\r\nGET other\r\n");
    }
    let mut lookout = server.connect();
    let lookout = std::cell::RefCell::new(&mut lookout);
    until("all are held", || {
        let list = lookout.borrow_mut().line("CLIENT LIST FLAGS b");
        list.matches("cmd=incr").count() == 8
    });
    assert_eq!(boss.line("GET n"), "nil");
    // No pause is a blocking command: UNBLOCK lets nobody go.
    let list = boss.line("CLIENT LIST FLAGS b");
    let id = list
        .split(['=', ' '])
        .nth(1)
        .expect("id=1 addr=…")
        .to_owned();
    assert_eq!(boss.line(&format!("CLIENT UNBLOCK {id}")), ":0");
    // A shorter, milder pause changes nothing.
    assert_eq!(boss.line("CLIENT PAUSE 1 WRITE"), "+OK");
    assert_eq!(boss.line("GET n"), "nil");
    assert_eq!(boss.line("CLIENT UNPAUSE"), "+OK");
    let mut counts: Vec<String> = writers.iter_mut().map(Client::reply).collect();
    counts.sort();
    let expected: Vec<String> = (1..=8).map(|n| format!(":{n}")).collect();
    assert_eq!(counts, expected);
    for writer in &mut writers {
        assert_eq!(writer.reply(), "nil");
    }
}

#[test]
fn a_monitor_hears_every_worker() {
    let (server, mut speakers) = crowd(8);
    let mut ear = server.connect();
    assert_eq!(ear.line("MONITOR"), "+OK");
    for (n, speaker) in speakers.iter_mut().enumerate() {
        assert_eq!(speaker.line(&format!("ECHO {n}")), format!("${n}"));
    }
    for n in 0..speakers.len() {
        let line = ear.reply();
        let expected = format!("\"ECHO\" \"{n}\"");
        assert!(line.ends_with(&expected), "{line}");
    }
    assert_eq!(speakers[0].line("CLIENT KILL TYPE normal"), ":8");
    assert_eq!(ear.until_end(), "");
}
