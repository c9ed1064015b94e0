//! One connection: login, handshake, the family of commands about it, half requests, bad input.

mod common;

use common::{TestServer, request, until};
use server::Live;

#[test]
fn the_family_answers_as_redis_does() {
    let server = TestServer::start();
    let mut client = server.connect();
    let mut check = |line: &str, expected: &str| assert_eq!(client.line(line), expected, "{line}");
    check("ping", "+PONG");
    check("PING hello", "$hello");
    check(
        "ping a b",
        "-ERR wrong number of arguments for 'ping' command",
    );
    check("echo", "-ERR wrong number of arguments for 'echo' command");
    check("echo x", "$x");
    check("select 3", "+OK");
    check("select 16", "-ERR DB index is out of range");
    check("select -1", "-ERR DB index is out of range");
    check("select x", "-ERR value is not an integer or out of range");
    check(
        "nosuch a 'b c'",
        "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' ",
    );
    check(
        "auth x",
        "-ERR AUTH <password> called without any password configured for the default \
        user. Are you sure your configuration is correct?",
    );
    check("auth default anything", "+OK");
    check(
        "auth other x",
        "-WRONGPASS invalid username-password pair or user is disabled.",
    );
    check("auth a b c", "-ERR syntax error");
    check("hello 4", "-NOPROTO unsupported protocol version");
    check(
        "hello x",
        "-ERR Protocol version is not an integer or out of range",
    );
    check(
        "hello 3 nosuch",
        "-ERR Syntax error in HELLO option 'nosuch'",
    );
    check(
        "hello 3 setname 'a b'",
        "-ERR Client names cannot contain spaces, newlines or special characters.",
    );
    let id = 1;
    check(
        "hello 3 setname me",
        &format!(
            "[$server $redis $version $7.2.4 $proto :3 $id :{id} $mode $standalone $role $master $modules []]"
        ),
    );
    check("reset", "+RESET");
    check(
        "hello",
        &format!(
            "[$server $redis $version $7.2.4 $proto :2 $id :{id} $mode $standalone $role $master $modules []]"
        ),
    );
    check("quit", "+OK");
    assert_eq!(client.try_reply(), None);
}

#[test]
fn a_password_is_asked_for() {
    let live = Live {
        requirepass: Some(b"secret".as_slice().into()),
        ..Live::default()
    };
    let server = TestServer::with(1, live);
    let mut client = server.connect();
    let mut check = |line: &str, expected: &str| assert_eq!(client.line(line), expected, "{line}");
    check("ping", "-NOAUTH Authentication required.");
    check(
        "nosuch",
        "-ERR unknown command 'nosuch', with args beginning with: ",
    );
    check(
        "hello 3",
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise \
        the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select \
        the RESP protocol version at the same time",
    );
    check(
        "auth wrong",
        "-WRONGPASS invalid username-password pair or user is disabled.",
    );
    check("auth secret", "+OK");
    check("ping", "+PONG");
    check("reset", "+RESET");
    check("ping", "-NOAUTH Authentication required.");
    // What the first request allows, the second of the same segment may use.
    client.send("auth secret\r\nping\r\nhello 3 auth default secret\r\n");
    assert_eq!(
        (client.reply(), client.reply()),
        ("+OK".into(), "+PONG".into())
    );
    assert!(client.reply().contains("$proto :3"));
}

#[test]
fn before_login_little_may_be_sent() {
    let live = Live {
        requirepass: Some(b"secret".as_slice().into()),
        ..Live::default()
    };
    let server = TestServer::with(1, live);
    let check = |bytes: &str, expected: &str| {
        let mut client = server.connect();
        client.send(bytes);
        assert_eq!(
            client.until_end(),
            format!("-ERR Protocol error: {expected}\r\n")
        );
    };
    check("*11\r\n", "unauthenticated multibulk length");
    check(
        "*2\r\n$4\r\nauth\r\n$16385\r\n",
        "unauthenticated bulk length",
    );
}

#[test]
fn requests_may_come_in_any_pieces() {
    let server = TestServer::start();
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for n in 0..50 {
        bytes.extend(request(&["echo".to_owned(), format!("word {n}")]));
        bytes.extend(format!("ping {n}\r\n").into_bytes());
    }
    for piece in bytes.chunks(7) {
        client.send(piece);
    }
    for n in 0..50 {
        assert_eq!(client.reply(), format!("$word {n}"));
        assert_eq!(client.reply(), format!("${n}"));
    }
}

#[test]
fn large_words_arrive_whole() {
    let server = TestServer::start();
    let mut client = server.connect();
    for size in [31_000, 32 << 10, 33_000, 1 << 20, (5 << 20) + 13] {
        let word: String = (0..size)
            .map(|n| char::from(b'a' + (n % 23) as u8))
            .collect();
        let bytes = [request(&["echo", &word]), request(&["ping"])].concat();
        let mut writer = client.stream.try_clone().expect("a second handle");
        let sender = std::thread::spawn(move || {
            std::io::Write::write_all(&mut writer, &bytes).expect("the server reads");
        });
        let reply = client.reply();
        assert!(
            reply[1..] == word,
            "{size} bytes came back as {}",
            reply.len() - 1
        );
        assert_eq!(client.reply(), "+PONG");
        sender.join().expect("sent");
    }
}

#[test]
fn nonsense_is_answered_and_closed_and_nobody_else_is_disturbed() {
    let server = TestServer::start();
    let mut bystander = server.connect();
    let mut check = |bytes: &[u8], expected: &str| {
        let mut client = server.connect();
        client.send(bytes);
        assert_eq!(client.until_end(), expected);
        assert_eq!(bystander.line("ping"), "+PONG");
    };
    check(
        b"ping\r\n*1\r\n!3\r\n",
        "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n",
    );
    check(
        b"*x\r\n",
        "-ERR Protocol error: invalid multibulk length\r\n",
    );
    check(
        b"*2147483648\r\n",
        "-ERR Protocol error: invalid multibulk length\r\n",
    );
    check(
        b"*1\r\n$-1\r\n",
        "-ERR Protocol error: invalid bulk length\r\n",
    );
    check(
        b"*1\r\n$999999999999\r\n",
        "-ERR Protocol error: invalid bulk length\r\n",
    );
    check(
        b"set 'a\r\n",
        "-ERR Protocol error: unbalanced quotes in request\r\n",
    );
    check(
        &[b'a'; 70_000],
        "-ERR Protocol error: too big inline request\r\n",
    );
    check(b"POST / HTTP/1.1\r\nHost: x\r\n", "");
    check(b"Host: x\r\n\r\n", "");
}

#[test]
fn a_half_closed_client_gets_its_answers() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.send("ping\r\nping a\r\n*1\r\n$4\r\nPI");
    client
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("half closed");
    assert_eq!(client.until_end(), "+PONG\r\n$1\r\na\r\n");
    until("the server forgets it", || server.server.clients.is_empty());
}

#[test]
fn renamed_commands_hide() {
    let server = TestServer::with_renames(1, Live::default(), &[("ping", "pong"), ("echo", "")]);
    let mut client = server.connect();
    assert_eq!(client.line("pong"), "+PONG");
    assert!(
        client
            .line("ping")
            .starts_with("-ERR unknown command 'ping'")
    );
    assert!(
        client
            .line("echo x")
            .starts_with("-ERR unknown command 'echo'")
    );
}

#[test]
fn a_stop_lets_replies_leave() {
    let server = TestServer::with(2, Live::default());
    let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("ping"), "+PONG");
    }
    assert_eq!(server.stop(), 0);
    for client in &mut clients {
        assert_eq!(client.until_end(), "");
    }
}
