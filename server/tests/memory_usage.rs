//! MEMORY USAGE says what the allocator gave, to a tenth, for every kind, encoding and size.

mod common;

use common::{Client, TestServer};

/// What is compared with.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

fn used() -> i64 {
    let used = os::alloc::used_bytes_exact() - store::Store::idle_bytes();
    i64::try_from(used).expect("less than the address space")
}

/// The same once the free thread has nothing more to do.
fn settled() -> i64 {
    let until = std::time::Instant::now() + common::DEADLINE;
    let mut before = used();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let now = used();
        if now == before {
            return now;
        }
        assert!(std::time::Instant::now() < until, "memory does not settle");
        before = now;
    }
}

/// One command a line; `{k}` is the key's number, `{i}` counts to `times`.
struct Case {
    name: &'static str,
    /// Lines before: CONFIG SET.
    before: &'static str,
    line: &'static str,
    times: usize,
    /// Once a key, behind it.
    then: &'static str,
    encoding: &'static str,
}

const fn case(
    name: &'static str,
    line: &'static str,
    times: usize,
    encoding: &'static str,
) -> Case {
    Case {
        name,
        before: "",
        line,
        times,
        then: "",
        encoding,
    }
}

const CASES: &[Case] = &[
    case("integer", "SET {k} 123456", 1, "int"),
    case("short string", "SET {k} 0123456789", 1, "embstr"),
    case("string of 100", "SET {k} {100}", 1, "raw"),
    case("string of 700", "SET {k} {700}", 1, "raw"),
    case("string of 5,000", "SET {k} {5000}", 1, "raw"),
    case("string of 100,000", "SET {k} {100000}", 1, "raw"),
    case("appended string", "APPEND {k} {100}", 50, "raw"),
    case(
        "string with a deadline",
        "SET {k} 0123456789 EX 1000",
        1,
        "embstr",
    ),
    case("sparse sketch", "PFADD {k} {i}", 20, "raw"),
    case("dense sketch", "PFADD {k} {i}", 2_000, "raw"),
    case("short list", "RPUSH {k} {i}", 10, "listpack"),
    case(
        "list of short words",
        "RPUSH {k} word:{i}",
        3_000,
        "quicklist",
    ),
    case("list of long words", "LPUSH {k} {300}", 1_000, "quicklist"),
    case("list of huge words", "LPUSH {k} {20000}", 10, "quicklist"),
    Case {
        before: "CONFIG SET list-compress-depth 1",
        ..case(
            "compressed list",
            "RPUSH {k} word:{i}:{100}",
            2_000,
            "quicklist",
        )
    },
    case("set of integers", "SADD {k} {i}", 100, "intset"),
    case("small set", "SADD {k} word:{i}", 50, "listpack"),
    case("set", "SADD {k} word:{i}", 1_000, "hashtable"),
    case(
        "set of 10,000",
        "SADD {k} a-longer-word:{i}",
        10_000,
        "hashtable",
    ),
    case("small hash", "HSET {k} field:{i} value:{i}", 30, "listpack"),
    case("hash", "HSET {k} field:{i} value:{i}", 1_000, "hashtable"),
    case(
        "hash of long values",
        "HSET {k} field:{i} {200}",
        1_000,
        "hashtable",
    ),
    case(
        "hash of huge values",
        "HSET {k} field:{i} {3000}",
        100,
        "hashtable",
    ),
    Case {
        then: "HEXPIRE {k} 1000 FIELDS 2 field:1 field:2",
        ..case(
            "small hash with deadlines",
            "HSET {k} field:{i} value:{i}",
            30,
            "listpackex",
        )
    },
    case(
        "hash with deadlines",
        "HSETEX {k} EX 1000 FIELDS 1 field:{i} value:{i}",
        1_000,
        "hashtable",
    ),
    case(
        "small sorted set",
        "ZADD {k} {i} member:{i}",
        30,
        "listpack",
    ),
    case("sorted set", "ZADD {k} {i} member:{i}", 1_000, "skiplist"),
    case(
        "sorted set of 10,000",
        "ZADD {k} {i} member:{i}",
        10_000,
        "skiplist",
    ),
    case(
        "short stream",
        "XADD {k} {i}-1 field value:{i}",
        10,
        "stream",
    ),
    case(
        "stream",
        "XADD {k} {i}-1 field value:{i} other {i}",
        2_000,
        "stream",
    ),
    Case {
        then: "XGROUP CREATE {k} g 0;XREADGROUP GROUP g me COUNT 1000 STREAMS {k} >",
        ..case(
            "stream with a group",
            "XADD {k} {i}-1 field value:{i}",
            1_000,
            "stream",
        )
    },
];

/// A word of so many bytes.
fn filler(bytes: usize) -> String {
    "abcdefghijklmnop".chars().cycle().take(bytes).collect()
}

fn words(line: &str, k: usize, i: usize) -> Vec<String> {
    line.split(' ')
        .map(|word| {
            let word = word
                .replace("{k}", &format!("key:{k}"))
                .replace("{i}", &i.to_string());
            let Some((head, rest)) = word.split_once('{') else {
                return word;
            };
            let bytes = rest
                .trim_end_matches('}')
                .parse()
                .expect("{k}, {i} or a length");
            format!("{head}{}", filler(bytes))
        })
        .collect()
}

fn run(client: &mut Client, line: &str, k: usize, times: usize) {
    for first in (1..=times).step_by(500) {
        let last = times.min(first + 499);
        let pipeline = (first..=last).map(|i| common::request(&words(line, k, i)));
        client.send(pipeline.collect::<Vec<_>>().concat());
        for _ in first..=last {
            let reply = client.reply();
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        }
    }
}

/// What all keys are said to take, and what they took.
fn measure(server: &TestServer, client: &mut Client, case: &Case) -> (i64, i64) {
    assert_eq!(client.line("FLUSHALL SYNC"), "+OK");
    assert_eq!(client.line("CONFIG SET list-compress-depth 0"), "+OK");
    if !case.before.is_empty() {
        assert_eq!(client.line(case.before), "+OK");
    }
    // The first key tells how many make some megabytes; it also brings what is made once.
    run(client, case.line, 0, case.times);
    let one = bytes_of(client, 0);
    let keys = usize::try_from((1 << 19) / one)
        .expect("positive")
        .clamp(4, 20_000);
    let before = settled();
    let table_before = i64::try_from(server.server.store.table_bytes(0)).expect("it fits");
    for k in 1..=keys {
        run(client, case.line, k, case.times);
        for line in case.then.split(';').filter(|line| !line.is_empty()) {
            run(client, line, k, 1);
        }
    }
    // The keys' places are the table's, and what one costs depends on how many there are.
    let table = i64::try_from(server.server.store.table_bytes(0)).expect("it fits");
    let took = used() - before - (table - table_before);
    let encoding = client.line("OBJECT ENCODING key:1");
    assert!(
        encoding.ends_with(case.encoding),
        "{}: {encoding}",
        case.name
    );
    let said = (1..=keys).map(|k| bytes_of(client, k) - PLACE).sum();
    (said, took)
}

/// What MEMORY USAGE adds for a key's place in its table.
const PLACE: i64 = 12;

fn bytes_of(client: &mut Client, k: usize) -> i64 {
    let reply = client.line(&format!("MEMORY USAGE key:{k}"));
    reply[1..].parse().expect("an integer")
}

#[test]
fn usage_is_what_the_allocator_gave() {
    let server = TestServer::start();
    let mut wrong = Vec::new();
    for case in CASES {
        // One each: a client that has sent large words keeps a buffer for more of them.
        let mut client = server.connect();
        let (said, took) = measure(&server, &mut client, case);
        let ratio = said as f64 / took as f64;
        println!(
            "{:<28} {said:>9} said {took:>9} taken {ratio:.3}",
            case.name
        );
        if !(0.9..=1.1).contains(&ratio) {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "more than a tenth off: {wrong:?}");
}
