//! Limits: how many clients, how much they may send, how much may be kept for them.

mod common;

use std::time::Duration;

use common::{Client, TestServer, request, until};
use server::Live;
use server::live::OutputLimit;

/// `maxmemory` is judged by what this counts.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

#[test]
fn one_client_too_many_is_told_so() {
    let server = TestServer::with(
        2,
        Live {
            maxclients: 5,
            ..Live::default()
        },
    );
    let mut clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("ping"), "+PONG");
    }
    assert_eq!(
        server.connect().until_end(),
        "-ERR max number of clients reached\r\n"
    );
    clients.pop();
    until("the place is free", || server.server.clients.len() == 4);
    assert_eq!(server.connect().line("ping"), "+PONG");
    assert_eq!(server.server.statistics().totals().connections_rejected, 1);
}

#[test]
fn connections_are_spread_over_the_workers() {
    let server = TestServer::with(3, Live::default());
    let mut clients: Vec<Client> = (0..9).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("ping"), "+PONG");
    }
    let mut by_worker = [0; 3];
    for client in server.server.clients.list() {
        by_worker[client.worker] += 1;
    }
    assert_eq!(by_worker, [3; 3]);
}

#[test]
fn silence_ends_a_connection() {
    let live = Live {
        timeout: Some(Duration::from_millis(100)),
        hz: 100,
        ..Live::default()
    };
    let server = TestServer::with(1, live);
    let mut client = server.connect();
    assert_eq!(client.line("ping"), "+PONG");
    assert_eq!(client.until_end(), "");
    assert_eq!(server.server.statistics().totals().timed_out_clients, 1);
}

#[test]
fn a_query_buffer_over_its_limit_ends_the_connection() {
    let server = TestServer::with(
        1,
        Live {
            query_buffer_bytes_max: 1 << 20,
            ..Live::default()
        },
    );
    let mut client = server.connect();
    // Half a request of many words, and half a large word.
    for begin in [
        "*1000000\r\n".to_owned(),
        "*2\r\n$4\r\necho\r\n$100000000\r\n".to_owned(),
    ] {
        let mut client = server.connect();
        client.send(begin);
        let words = request(&["x".repeat(1000)])[4..].repeat(500);
        for _ in 0..20 {
            if std::io::Write::write_all(&mut client.stream, &words).is_err() {
                break;
            }
        }
        assert_eq!(client.until_end(), "");
    }
    assert_eq!(
        server
            .server
            .statistics()
            .totals()
            .query_buffer_disconnections,
        2
    );
    assert_eq!(client.line("ping"), "+PONG");
}

#[test]
fn a_slow_reader_is_cut_off() {
    let mut live = Live::default();
    live.output_limits[0] = OutputLimit {
        hard_bytes: 10 << 20,
        ..OutputLimit::default()
    };
    let server = TestServer::with(1, live);
    let mut bystander = server.connect();
    let mut client = server.connect();
    bystander.ask(&["set".to_owned(), "k".to_owned(), "v".repeat(100_000)]);
    assert_eq!(bystander.reply(), "+OK");
    // Never reads: what the kernel does not take is kept here, up to the limit.
    for _ in 0..1000 {
        if std::io::Write::write_all(&mut client.stream, b"get k\r\n").is_err() {
            break;
        }
    }
    until("it is cut", || server.server.clients.len() == 1);
    assert_eq!(
        server
            .server
            .statistics()
            .totals()
            .output_buffer_disconnections,
        1
    );
    assert_eq!(bystander.line("ping"), "+PONG");
}

#[test]
fn a_soft_limit_gives_time() {
    let mut live = Live {
        hz: 100,
        ..Live::default()
    };
    live.output_limits[0] = OutputLimit {
        hard_bytes: 0,
        soft_bytes: 1 << 20,
        soft_seconds: 1,
    };
    let server = TestServer::with(1, live);
    let (mut bystander, mut client) = (server.connect(), server.connect());
    bystander.ask(&["set".to_owned(), "k".to_owned(), "v".repeat(1 << 20)]);
    assert_eq!(bystander.reply(), "+OK");
    let began = std::time::Instant::now();
    client.send("get k\r\n".repeat(20));
    until("it is cut", || server.server.clients.len() == 1);
    assert!(
        began.elapsed() > Duration::from_millis(900),
        "after {:?}",
        began.elapsed()
    );
}

#[test]
fn large_replies_arrive_whole_at_a_slow_reader() {
    let server = TestServer::start();
    let mut client = server.connect();
    let value = "0123456789".repeat(300_000);
    client.ask(&["set", "k", &value]);
    assert_eq!(client.reply(), "+OK");
    client.send("get k\r\nping\r\nget k\r\nping\r\n");
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..2 {
        assert!(client.reply()[1..] == value);
        assert_eq!(client.reply(), "+PONG");
    }
}

#[test]
fn a_thousand_hostile_sockets_disturb_nobody() {
    let server = TestServer::with(2, Live::default());
    let mut bystander = server.connect();
    let begins: [&[u8]; 6] = [
        b"*2\r\n$3\r\nGET\r\n$100000",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc",
        b"*2147483647\r\n$1\r\na\r\n",
        b"get \"half a quo",
        b"\r\n\r\n\r\n*0\r\n*-1\r\n*1\r\n$0\r\n",
        b"",
    ];
    let mut hostile: Vec<Client> = (0..1000).map(|_| server.connect()).collect();
    for (n, client) in hostile.iter_mut().enumerate() {
        client.send(begins[n % begins.len()]);
    }
    for _ in 0..100 {
        assert_eq!(bystander.line("incr x").as_bytes()[0], b':');
    }
    until("all are there", || server.server.clients.len() == 1001);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let (mut came, mut held) = (0, 0);
    for client in server.server.clients.list() {
        let figures = &client.figures;
        came += figures.query_bytes.load(relaxed) + figures.query_free.load(relaxed);
        held += figures.memory_bytes.load(relaxed);
    }
    // A word that is announced has a mebibyte reserved, which nobody touches.
    assert!(came < 16 << 20 && held < 200 << 20, "{came}, {held} bytes");
    drop(hostile);
    until("all have gone", || server.server.clients.len() == 1);
    assert_eq!(bystander.line("ping"), "+PONG");
}

#[test]
fn memory_over_the_limit_refuses_writes_that_grow() {
    let server = TestServer::start();
    let mut client = server.connect();
    assert_eq!(client.line("set k v"), "+OK");
    server.configure(|live| live.maxmemory = 1);
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.";
    for (line, expected) in [
        ("set k v", oom),
        ("get k", "$v"),
        ("del k", ":1"),
        ("multi", "+OK"),
        // Queueing takes memory as well, whatever is queued.
        ("ping", oom),
        ("set k v", oom),
        (
            "exec",
            "-EXECABORT Transaction discarded because of previous errors.",
        ),
        ("multi", "+OK"),
    ] {
        assert_eq!(client.line(line), expected, "{line}");
    }
    server.configure(|live| live.maxmemory = 0);
    assert_eq!(client.line("set k v"), "+QUEUED");
    server.configure(|live| live.maxmemory = 1);
    let expected = format!("-EXECABORT Transaction discarded because of: {}", &oom[1..]);
    assert_eq!(client.line("exec"), expected);
    assert_eq!(client.line("exists k"), ":0");
}

#[test]
fn kill_reaches_other_workers() {
    let server = TestServer::with(3, Live::default());
    let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("ping"), "+PONG");
    }
    for client in server.server.clients.list() {
        assert!(
            server
                .server
                .clients
                .kill(&client, &server.server.mailboxes)
        );
        assert!(
            !server
                .server
                .clients
                .kill(&client, &server.server.mailboxes)
        );
    }
    for client in &mut clients {
        assert_eq!(client.until_end(), "");
    }
    until("all have gone", || server.server.clients.is_empty());
}

#[test]
fn a_pipeline_of_many_requests_is_answered_in_order() {
    let server = TestServer::with(2, Live::default());
    std::thread::scope(|scope| {
        for n in 0..4 {
            let mut client = server.connect();
            scope.spawn(move || {
                let mut bytes = Vec::new();
                for i in 0..5_000 {
                    bytes.extend(request(&[
                        "set".into(),
                        format!("k:{n}:{}", i % 7),
                        i.to_string(),
                    ]));
                    bytes.extend(request(&["get".into(), format!("k:{n}:{}", i % 7)]));
                    bytes.extend(request(&["incr".into(), format!("c:{n}")]));
                }
                let mut writer = client.stream.try_clone().expect("a second handle");
                let sender = std::thread::spawn(move || {
                    std::io::Write::write_all(&mut writer, &bytes).expect("the server reads");
                });
                for i in 0..5_000 {
                    assert_eq!(client.reply(), "+OK");
                    assert_eq!(client.reply(), format!("${i}"));
                    assert_eq!(client.reply(), format!(":{}", i + 1));
                }
                sender.join().expect("sent");
            });
        }
    });
}
