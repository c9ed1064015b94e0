//! Any sequence of data commands, on a whole server without sockets: nothing panics, hangs, bloats, or
//! answers with anything but one well-formed reply a request.
//!
//! ```text
//!   choices ─> request ─> Peer ─(simulated network)─> Worker, dispatch, store ─> reply ─> is it one?
//! ```
//!
//! What is sent is made from the rows' syntax (`commands/tests/requests`); who chooses is the caller:
//! dice in `server/tests/sequences.rs`, the input's bytes in `fuzz/fuzz_targets/commands.rs`. In debug
//! builds the store asserts that no command touches a key that it has not declared.
//!
//! A client that waits (BLPOP) is left: its connection ends, a new one takes over. RESTORE with a
//! payload of any bytes is followed by what reads a value of that kind, and some that changes it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the test and the fuzz target use their part"
)]

#[path = "../../../commands/tests/requests/mod.rs"]
pub mod requests;

use std::net::SocketAddr;
use std::sync::Arc;

use commands::spec::Flags;
use io::sim::{Net, Peer, SimLoop, Weather};
use requests::{Choose, Form};
use server::Server;
use server::config::Config;
use server::listen::{Listening, Wanted};
use server::worker::Worker;

/// Small enough that what exceeds it by mistake is seen, and a request stays short.
const CONFIG: &str = "save \"\"\nproto-max-bulk-len 1mb\nenable-debug-command yes\n\
                      notify-keyspace-events KEA\nlist-max-listpack-size 4\nhash-max-listpack-entries 4\n\
                      set-max-listpack-entries 4\nset-max-intset-entries 4\nzset-max-listpack-entries 4\n\
                      stream-node-max-entries 3\n";

/// Turns after which a request that was to be answered counts as hanging.
const TURNS_MAX: usize = 2_000;

/// Requests about the server or the connection that data commands meet, by line.
const BESIDE: &[&str] = &[
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH 0a 1b",
    "UNWATCH",
    "HELLO 2",
    "HELLO 3",
    "CLIENT TRACKING on",
    "CLIENT TRACKING off",
    "CLIENT NO-TOUCH on",
    "DEBUG DIGEST",
    "INFO",
    "SELECT 1",
    "SELECT 0",
    "CONFIG SET maxmemory 2mb maxmemory-policy allkeys-lfu",
    "CONFIG SET maxmemory 0",
    "CONFIG SET hash-max-listpack-entries 128 zset-max-listpack-entries 128",
    "FLUSHALL ASYNC",
];

/// What can be asked of any value: `$` is the key.
const OF_ANY: &[&str] = &[
    "OBJECT ENCODING $",
    "MEMORY USAGE $",
    "DEBUG DIGEST-VALUE $",
    "DUMP $",
    "COPY $ copied REPLACE",
];

/// What reads a value of a kind whole or in part, and some that changes it.
const OF_KIND: &[(&[u8], &[&str])] = &[
    (
        b"+string",
        &[
            "GET $",
            "STRLEN $",
            "BITCOUNT $",
            "PFCOUNT $",
            "PFADD $ a",
            "APPEND $ x",
            "SETRANGE $ 3 abc",
            "INCR $",
        ],
    ),
    (
        b"+list",
        &[
            "LRANGE $ 0 -1",
            "LPOS $ a COUNT 0",
            "LINDEX $ -1",
            "SORT $ ALPHA",
            "LSET $ 0 b",
            "LINSERT $ BEFORE a b",
            "LREM $ 0 a",
            "LPUSH $ x",
            "RPOP $ 2",
            "LTRIM $ 1 -2",
        ],
    ),
    (
        b"+set",
        &[
            "SMEMBERS $",
            "SISMEMBER $ a",
            "SMISMEMBER $ 1 a",
            "SRANDMEMBER $ -3",
            "SSCAN $ 0",
            "SINTER $ copied",
            "SUNION $ copied",
            "SADD $ x 1",
            "SREM $ a 1",
            "SPOP $ 2",
        ],
    ),
    (
        b"+zset",
        &[
            "ZRANGE $ 0 -1 WITHSCORES",
            "ZRANK $ a",
            "ZSCORE $ a",
            "ZCOUNT $ -inf +inf",
            "ZRANGE $ - + BYLEX",
            "ZRANGE $ +inf -inf BYSCORE REV",
            "ZSCAN $ 0",
            "GEOPOS $ a",
            "GEOSEARCH $ FROMLONLAT 0 0 BYRADIUS 20000 km WITHDIST",
            "ZRANDMEMBER $ 3",
            "ZUNION 2 $ copied WITHSCORES",
            "ZINCRBY $ 1 a",
            "ZADD $ 3 x",
            "ZREMRANGEBYRANK $ 0 0",
            "ZPOPMIN $ 2",
        ],
    ),
    (
        b"+hash",
        &[
            "HGETALL $",
            "HGET $ a",
            "HSTRLEN $ a",
            "HRANDFIELD $ -3 WITHVALUES",
            "HSCAN $ 0",
            "HTTL $ FIELDS 1 a",
            "HSET $ a b",
            "HINCRBY $ a 1",
            "HEXPIRE $ 10 FIELDS 1 a",
            "HPERSIST $ FIELDS 1 a",
            "HDEL $ a",
            "HGETDEL $ FIELDS 1 b",
        ],
    ),
    (
        b"+stream",
        &[
            "XRANGE $ - +",
            "XREVRANGE $ + - COUNT 2",
            "XINFO STREAM $ FULL",
            "XINFO GROUPS $",
            "XINFO CONSUMERS $ g",
            "XPENDING $ g - + 10",
            "XREAD COUNT 3 STREAMS $ 0",
            "XADD $ * a b",
            "XGROUP CREATE $ h 0",
            "XREADGROUP GROUP g c COUNT 2 STREAMS $ >",
            "XAUTOCLAIM $ g c 0 0",
            "XCLAIM $ g c 0 1-1 FORCE",
            "XACK $ g 1-1",
            "XDEL $ 1-1",
            "XTRIM $ MAXLEN 1",
            "XGROUP DELCONSUMER $ g c",
            "XSETID $ 99-9",
        ],
    ),
];

/// A server, its one worker, and the client that speaks.
pub struct Rig<'s> {
    net: Net,
    worker: Worker<'s, SimLoop>,
    address: io::Address,
    peer: Peer,
    got: Vec<u8>,
    /// Replies so far, and errors among them.
    pub replies: usize,
    pub errors: usize,
}

/// A server for a rig.
pub fn server(seed: u64) -> Arc<Server> {
    let start = server::Start {
        workers: 1,
        renames: Vec::new(),
        seed,
        run_id: "0".repeat(40),
        port: 0,
    };
    let config = Config::from_text(CONFIG.as_bytes(), &|_| false).expect("a valid configuration");
    let server = Server::with_config(start, config).expect("nothing is renamed");
    let at = io::ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    *server.listening.lock() = Listening {
        wanted: vec![Wanted {
            at,
            optional: false,
        }],
        ..Listening::default()
    };
    server
}

/// The data commands.
pub fn forms() -> Vec<Form> {
    requests::forms(commands::table().iter().copied().flatten().copied())
}

/// The milliseconds since 1970 that a rig's clock shows.
pub fn now_ms(net: &Net) -> i64 {
    i64::try_from(net.unix_time().as_millis()).expect("this century")
}

impl<'s> Rig<'s> {
    pub fn new(server: &'s Arc<Server>, seed: u64) -> Rig<'s> {
        let net = Net::new(seed, Weather::calm());
        let mut worker = Worker::new(0, server, net.driver());
        worker.listen().expect("nobody else listens");
        let address = server.addresses.lock()[0].clone();
        let peer = net.connect(&address).expect("it listens");
        let got = Vec::new();
        Rig {
            net,
            worker,
            address,
            peer,
            got,
            replies: 0,
            errors: 0,
        }
    }

    /// As if it had just been started: no data, another client, the configuration of the beginning. What is
    /// left are figures and the hour. Some hundred times as fast as a new server.
    pub fn begin_anew(&mut self) {
        self.reconnect();
        for line in [
            "CONFIG SET maxmemory 0 maxmemory-policy noeviction",
            "CONFIG SET hash-max-listpack-entries 4 zset-max-listpack-entries 4",
            "FLUSHALL",
        ] {
            self.line(line, b"");
        }
    }

    fn reconnect(&mut self) {
        let peer = self.net.connect(&self.address).expect("it listens");
        std::mem::replace(&mut self.peer, peer).reset();
        self.got.clear();
    }

    /// Sends requests until `requests` are through or `is_over` says so.
    pub fn run<C: Choose>(
        &mut self,
        forms: &[Form],
        choice: &mut C,
        requests: usize,
        is_over: impl Fn(&C) -> bool,
    ) {
        for _ in 0..requests {
            if is_over(choice) {
                return;
            }
            match choice.below(16) {
                0 => self.line(BESIDE[choice.below(BESIDE.len())], b""),
                1 => self.restore(choice),
                kind => {
                    let form = choice.of(forms);
                    let mut words = form.request(choice, now_ms(&self.net));
                    if kind < 4 {
                        requests::spoil(&mut words, choice);
                    }
                    self.ask(&words, form.flags.has(Flags::BLOCKING));
                }
            }
        }
    }

    /// RESTORE with a payload of the chooser's, and all that reads a value.
    fn restore<C: Choose>(&mut self, choice: &mut C) {
        let payload = choice.payload();
        let words: [&[u8]; 5] = [b"RESTORE", b"restored", b"0", &payload, b"REPLACE"];
        let reply = self.ask(&words, false);
        if !reply.starts_with(b"+OK") {
            return;
        }
        let kind = self.ask(&["TYPE", "restored"], false);
        let own = OF_KIND.iter().find(|(name, _)| kind.starts_with(name));
        let (_, lines) = own.expect("a kind that is listed");
        for line in OF_ANY.iter().chain(*lines).chain(OF_ANY) {
            self.line(line, b"restored");
        }
    }

    fn line(&mut self, line: &str, key: &[u8]) {
        let words: Vec<&[u8]> = line
            .split(' ')
            .map(|word| if word == "$" { key } else { word.as_bytes() })
            .collect();
        self.ask(&words, false);
    }

    /// One request and its reply, which is empty for a client that waits.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W], may_block: bool) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            bytes.extend(format!("${}\r\n", word.len()).bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        let mut sent = 0;
        for turn in 0..TURNS_MAX {
            if sent < bytes.len() {
                match self.peer.send(&bytes[sent..]) {
                    Ok(n) => sent += n,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => panic!("the server has gone: {error}"),
                }
            }
            self.worker.turn();
            match self.peer.receive(&mut self.got, 1 << 20) {
                Ok(0) => panic!("the server has closed the connection at {}", shown(words)),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("the server has gone: {error}"),
            }
            while let Some(len) = reply_len(&self.got) {
                let reply: Vec<u8> = self.got.drain(..len).collect();
                // What is pushed (invalidations) is no answer.
                if reply[0] != b'>' {
                    self.replies += 1;
                    self.errors += usize::from(reply[0] == b'-');
                    return reply;
                }
            }
            if may_block && sent == bytes.len() && turn > 5 {
                self.reconnect();
                return Vec::new();
            }
        }
        panic!("no reply to {}", shown(words));
    }
}

fn shown<W: AsRef<[u8]>>(words: &[W]) -> String {
    let word = |word: &W| word.as_ref().escape_ascii().to_string();
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The length of the reply at the front, once it is whole. Anything that is none is a panic.
fn reply_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    if bytes.len() < end + 2 {
        return None;
    }
    assert_eq!(bytes[end + 1], b'\n', "a line ends with both");
    let text = std::str::from_utf8(&bytes[1..end]);
    let number = || -> i64 {
        let digits = text.ok().and_then(|text| text.parse().ok());
        digits.expect("a length")
    };
    let head = end + 2;
    let many =
        |count: i64| (0..count).try_fold(head, |at, _| reply_len(&bytes[at..]).map(|len| at + len));
    match bytes[0] {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Some(head),
        b'$' | b'=' | b'*' | b'~' if number() < 0 => Some(head),
        b'$' | b'=' => {
            let len = head + usize::try_from(number()).expect("not negative") + 2;
            (bytes.len() >= len).then(|| {
                assert_eq!(&bytes[len - 2..len], b"\r\n", "a string has its length");
                len
            })
        }
        b'*' | b'~' | b'>' => many(number()),
        b'%' => many(2 * number()),
        other => panic!("no reply begins with {:?}", other as char),
    }
}
