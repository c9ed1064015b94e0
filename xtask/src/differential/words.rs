//! A value for every argument: chosen by its name, so that requests meet data.
//!
//! Keys come from small pools, one for each type (`lst:1` … `lst:4`), members and fields from a dozen
//! words. Whatever depends on the clock is far from it: each relative or absolute time is used once and
//! lies a thousand seconds from any other, so that two servers that read their clocks at different
//! moments decide alike (EXPIRE GT, ZADD of a due key). Stream ids grow by a counter and are remembered.

use super::grammar::Command;
use super::random::Random;

/// What the generator draws from.
pub(crate) struct Words {
    pub(crate) random: Random,
    /// Payloads for RESTORE, from the peer's own DUMP.
    pub(crate) payloads: Vec<Vec<u8>>,
    /// Seconds since 1970 when the run began.
    start_s: u64,
    times: u64,
    ids: u64,
    recent: Vec<String>,
}

/// What is known of the request that a word is for.
pub(crate) struct About<'a> {
    pub(crate) command: &'a Command,
    pub(crate) used: &'a [String],
    pub(crate) pool: &'a str,
}

impl About<'_> {
    fn uses(&self, token: &str) -> bool {
        self.used.iter().any(|t| t == token)
    }

    fn is(&self, part: &str) -> bool {
        self.command.name.contains(part)
    }
}

pub(crate) const POOLS: &[&str] = &[
    "str", "bit", "lst", "set", "hsh", "zst", "stm", "geo", "hll",
];

const ELEMENTS: &[&str] = &[
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "10",
    "-7",
    "3.5",
    "foo",
    "bar",
    "a longer element that is no number, of more than 44 bytes",
    "",
];
const MEMBERS: &[&str] = &["a", "b", "c", "d", "1", "2", "3", "foo", "bar"];
const FIELDS: &[&str] = &["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"];
// No blanks and no hexadecimal: 7.0 takes them for bounds, and what is stored by them differs.
const ODD: &[&str] = &[
    "abc",
    "",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "nan",
    "+0",
];
const SCORES: &[&str] = &[
    "0", "0", "0", "1", "2", "3", "-1", "1.5", "-2.5", "7", "10", "inf", "-inf",
];
const PATTERNS: &[&str] = &[
    "*", "*", "*1", "s*", "?", "f[1-4]", "[^a]", "str:*", "*:1", "a*",
];
const ENCODINGS: &[&str] = &["u8", "i8", "u4", "i16", "u1", "i5", "u63", "i64", "u32"];
const TYPES: &[&str] = &["string", "list", "set", "zset", "hash", "stream"];

impl Words {
    pub(crate) fn new(seed: u64, start_s: u64, payloads: Vec<Vec<u8>>) -> Words {
        Words {
            random: Random::new(seed),
            payloads,
            start_s,
            times: 0,
            ids: 0,
            recent: Vec::new(),
        }
    }

    /// The type whose keys a request is about.
    pub(crate) fn pool(&mut self, command: &Command, used: &[String]) -> &'static str {
        // What is ordered by member needs equal scores, or its order is nobody's.
        let is_lex = command.name.contains("LEX") || used.iter().any(|token| token == "BYLEX");
        if is_lex || (command.name == "ZADD" && self.random.percent(25)) {
            return "lex";
        }
        let own = match command.group.as_str() {
            "string" => "str",
            "bitmap" => "bit",
            "list" => "lst",
            "set" => "set",
            "hash" => "hsh",
            "sorted-set" => "zst",
            "geo" => "geo",
            "stream" => "stm",
            "hyperloglog" => "hll",
            _ if command.name.starts_with("SORT") => self.random.pick(&["lst", "set", "zst"]),
            _ => return POOLS[self.random.below(POOLS.len())],
        };
        if own == "zst" && self.random.percent(10) {
            // ZUNION and its like take sets.
            return "set";
        }
        own
    }

    fn key(&mut self, pool: &str) -> String {
        let is_geo = pool == "geo";
        let pool = match self.random.below(100) {
            _ if pool == "lex" => pool,
            // Places and registers that others have written are nobody's order, and no registers.
            0 | 1 => POOLS[self.random.below(POOLS.len() - 2)],
            2 => "none",
            _ => pool,
        };
        // A sorted set's scores are places too, and many lie in one: what places are under keeps apart.
        let pool = match (is_geo, pool) {
            (true, "geo") => "geo",
            (true, _) => "gone",
            (false, pool) => pool,
        };
        // Groups and what is pending need their stream again and again.
        let keys = if pool == "stm" { 2 } else { 3 };
        format!("{pool}:{}", self.random.between(1, keys))
    }

    /// Requests that put something under a key, by what its name says that it holds.
    pub(crate) fn data(&mut self, key: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let key = String::from_utf8_lossy(key).into_owned();
        let mut lines = Vec::new();
        let mut say = |words: &[&str]| {
            lines.push(words.iter().map(|word| word.as_bytes().to_vec()).collect());
        };
        let three: [String; 3] = std::array::from_fn(|_| self.of(ELEMENTS));
        let members: [String; 3] = std::array::from_fn(|_| self.of(MEMBERS));
        let fields: [String; 3] = std::array::from_fn(|_| self.of(FIELDS));
        let numbers: [String; 3] = std::array::from_fn(|_| self.int(-3, 3));
        let ([a, b, c], [k, l, m], [f, g, h]) = (&three, &members, &fields);
        match key.split(':').next().unwrap_or("") {
            "str" => say(&["APPEND", &key, a]),
            "bit" => say(&["SETRANGE", &key, "3", a]),
            "lst" => say(&["RPUSH", &key, a, b, c]),
            "set" => say(&["SADD", &key, a, b, c]),
            "hsh" => say(&["HSET", &key, f, "1", g, "2", h, "x"]),
            "zst" => say(&["ZADD", &key, &numbers[0], k, &numbers[1], l, &numbers[2], m]),
            "lex" => say(&["ZADD", &key, "0", k, "0", l, "0", m]),
            "geo" => {
                // No two places alike, or an order by distance is nobody's.
                let places: [String; 6] = std::array::from_fn(|_| self.degrees());
                let [p, q, r, s, t, u] = &places;
                say(&["GEOADD", &key, p, q, f, r, s, g, t, u, h]);
            }
            "hll" => say(&["PFADD", &key, a, b]),
            "stm" => {
                let ids = [self.new_id(), self.new_id()];
                say(&["XADD", &key, &ids[0], f, a]);
                say(&["XADD", &key, &ids[1], g, b]);
                say(&["XGROUP", "CREATE", &key, "g1", "0"]);
                say(&["XREADGROUP", "GROUP", "g1", "c1", "STREAMS", &key, ">"]);
            }
            _ => {}
        }
        lines
    }

    fn degrees(&mut self) -> String {
        format!(
            "{}.{:04}",
            self.random.between(-3, 3),
            self.random.below(10_000)
        )
    }

    /// An id above all others, remembered.
    fn new_id(&mut self) -> String {
        self.ids += 1;
        let id = format!("{}-{}", self.ids, self.random.below(3));
        if self.recent.len() >= 24 {
            self.recent.remove(0);
        }
        self.recent.push(id.clone());
        id
    }

    fn int(&mut self, low: i64, high: i64) -> String {
        self.random.between(low, high).to_string()
    }

    fn of(&mut self, list: &[&str]) -> String {
        (*self.random.pick(list)).to_string()
    }

    /// Seconds, as far from all others as from now.
    fn seconds(&mut self) -> u64 {
        self.times += 1;
        let shuffled = u64::from((self.times as u16).reverse_bits());
        100_000 + 1_000 * shuffled
    }

    fn time(&mut self, name: &str) -> String {
        match self.random.below(30) {
            0 => "0".into(),
            1 => "-1".into(),
            // 7.0's RESTORE takes what is out of range, and the key is gone at once.
            2 if name == "ttl" => "abc".into(),
            2 => self.of(&[
                "abc",
                "9223372036854775807",
                "-9223372036854775808",
                "1.5",
                "",
            ]),
            _ => {
                let seconds = self.seconds();
                match name {
                    "seconds" => seconds.to_string(),
                    "unix-time-seconds" => (self.start_s + seconds + 500).to_string(),
                    "unix-time-milliseconds" => ((self.start_s + seconds + 500) * 1000).to_string(),
                    _ => (seconds * 1000).to_string(),
                }
            }
        }
    }

    /// The word for one argument.
    pub(crate) fn word(&mut self, name: &str, kind: &str, about: &About<'_>) -> Vec<u8> {
        if kind == "key" {
            return self.key(about.pool).into_bytes();
        }
        if name == "score" && about.pool == "lex" {
            return b"0".to_vec();
        }
        if name == "serialized-value" {
            return match self.random.percent(90) {
                true => self.random.pick(&self.payloads).clone(),
                false => b"no payload".to_vec(),
            };
        }
        let is_time = matches!(
            name,
            "seconds"
                | "milliseconds"
                | "ttl"
                | "unix-time-seconds"
                | "unix-time-milliseconds"
                | "ms"
        );
        if is_time && name == "seconds" && about.command.name == "RESTORE" {
            // IDLETIME: a clock of 24 bits.
            return self.int(0, 200).into_bytes();
        }
        if is_time {
            let zero = name == "ttl" && self.random.percent(60);
            if !zero && about.uses("BLOCK") {
                // 7.0 takes a time that overflows, and then reads.
                return self
                    .of(&["0", "1", "1000", "-1", "abc", "1.5"])
                    .into_bytes();
            }
            return if zero {
                b"0".to_vec()
            } else {
                self.time(name).into_bytes()
            };
        }
        // What is no number gets an odd one as well.
        if self.random.below(100) < 2 && !name.ends_with("pattern") {
            return self.odd(name, about).into_bytes();
        }
        let text = match about.command.group.as_str() {
            "stream" => self.stream_word(name, about),
            "sorted-set" | "geo" => self.scored_word(name, about),
            _ => None,
        };
        text.unwrap_or_else(|| self.plain_word(name, kind, about))
            .into_bytes()
    }

    /// An odd word, where it does the same in all releases.
    fn odd(&mut self, name: &str, about: &About<'_>) -> String {
        let odd = self.of(ODD);
        let is_lowest = odd.starts_with("-9");
        let replaced = match about.command.name.as_str() {
            // Within a field's width of the lowest number Redis's check wraps, and SAT saturates to
            // the other end; ours to the nearer one.
            "BITFIELD" => is_lowest,
            // What cannot be negated: 7.0's LREM and LPOS take it, and every LSET finds an
            // element by either end, and we none.
            "LREM" | "LPOS" | "LINDEX" => is_lowest,
            "LSET" => odd.len() > 6,
            // DEBUG DIGEST of a score has 17 digits in 7.0, and the fewest since, as in ours.
            _ => matches!(name, "score" | "increment" | "weight") && odd.len() > 6,
        };
        if replaced { "-1".into() } else { odd }
    }

    fn plain_word(&mut self, name: &str, kind: &str, about: &About<'_>) -> String {
        match name {
            "start" => match self.random.percent(50) {
                true => "0".into(),
                false => self.int(-6, 6),
            },
            "stop" | "end" => match self.random.percent(50) {
                true => "-1".into(),
                false => self.int(-6, 8),
            },
            "count" if about.is("SCAN") => self.of(&["1000", "1000", "1000", "10", "1", "0"]),
            "count" if about.is("RAND") => self.int(-4, 8),
            "count" | "num-matches" => self.int(0, 4),
            "cursor" if self.random.percent(95) => "0".into(),
            "offset" if about.is("BITFIELD") => match self.random.percent(30) {
                true => format!("#{}", self.random.below(6)),
                false => self.int(0, 80),
            },
            "offset" if about.is("SETRANGE") => self.int(0, 40),
            "offset" if about.is("BIT") => self.int(0, 120),
            "offset" => self.int(0, 2),
            "bit" => self.int(0, 1),
            "encoding" => self.of(ENCODINGS),
            "index" | "rank" => self.int(-4, 4),
            "db" | "destination-db" | "index1" | "index2" => self.int(0, 1),
            "len" | "maxlen" | "min-match-len" => self.int(0, 8),
            "limit" => self.int(0, 4),
            "timeout" => "0".into(),
            "idletime" | "frequency" => self.int(0, 200),
            "type" => self.of(TYPES),
            "field" => self.of(FIELDS),
            "increment" | "decrement" | "integer" => match about.is("FLOAT") {
                true => self.of(&["0.5", "1", "-2.25", "3e2", "10"]),
                false => self.int(-10, 50),
            },
            "value" if about.is("BIT") => match about.command.name.as_str() {
                "SETBIT" => self.int(0, 1),
                _ => self.int(-200, 300),
            },
            "value" if about.is("HSET") || about.is("HMSET") => {
                self.of(&["1", "2", "x", "2.5", "yy"])
            }
            // SORT. Without a star the order would be the table's. Weights stand in hashes: SETRANGE puts
            // NULs into strings, and C ends a number there.
            _ if about.is("SORT") && name.ends_with("pattern") => match about.uses("BY") {
                true => self.of(&["hsh:*->f1", "hsh:*->f2", "void:*"]),
                false => self.of(&["str:*", "hsh:*->f1", "#", "none"]),
            },
            _ => match kind {
                "integer" => self.int(-3, 10),
                "double" => self.of(SCORES),
                "pattern" => self.of(PATTERNS),
                _ => self.of(ELEMENTS),
            },
        }
    }

    /// Sorted sets and geo: bounds by score, by member, by rank.
    fn scored_word(&mut self, name: &str, about: &About<'_>) -> Option<String> {
        // ZRANGESTORE calls its ranks min and max.
        let name = match name {
            "min" if about.is("ZRANGESTORE") => "start",
            "max" if about.is("ZRANGESTORE") => "stop",
            name => name,
        };
        let is_low = match name {
            "start" | "stop" => (name == "start") != about.uses("REV"),
            _ => name == "min",
        };
        let is_bound = matches!(name, "min" | "max")
            || (matches!(name, "start" | "stop") && (about.uses("BYSCORE") || about.uses("BYLEX")));
        if is_bound {
            let by_lex = about.is("LEX") || about.uses("BYLEX");
            let (all, some): (&str, &[&str]) = match (by_lex, is_low) {
                (true, true) => ("-", &["[a", "(a", "[3", "-", "[b", "a"]),
                (true, false) => ("+", &["[e", "(f", "[bar", "+", "(5"]),
                (false, true) => ("-inf", &["0", "(0", "-1", "1", "(1.5", "-inf"]),
                (false, false) => ("+inf", &["10", "(10", "3", "2", "(7", "inf"]),
            };
            return Some(match self.random.percent(50) {
                true => all.into(),
                false => self.of(some),
            });
        }
        let is_geo = about.command.group == "geo";
        Some(match name {
            "start" | "stop" => return Some(self.plain_word(name, "integer", about)),
            "longitude" | "latitude" => self.degrees(),
            "radius" | "width" | "height" => {
                self.of(&["500", "1000", "500000", "3000000", "5", "0"])
            }
            "member" | "member1" | "member2" if is_geo => self.of(FIELDS),
            "member" => self.of(MEMBERS),
            "score" | "increment" => self.of(SCORES),
            "weight" => self.of(&["1", "2", "0.5", "-1"]),
            "count" if is_geo => self.int(1, 5),
            _ => return None,
        })
    }

    fn stream_word(&mut self, name: &str, about: &About<'_>) -> Option<String> {
        let command = about.command.name.as_str();
        Some(match name {
            "id" | "lastid" | "last-id" | "start" | "end" | "threshold" | "max-deleted-id" => {
                return Some(self.stream_id(name, about));
            }
            "group" | "groupname" => self.of(&["g1", "g1", "g2"]),
            "consumer" | "consumername" => self.of(&["c1", "c2"]),
            "min-idle-time" => "0".into(),
            "count" => match command {
                "XTRIM" | "XADD" => self.int(0, 100),
                _ => self.int(1, 5),
            },
            "entries-added" => self.int(0, 1000),
            "entriesread" | "entries-read" => self.int(0, 20),
            "field" => self.of(FIELDS),
            _ => return None,
        })
    }

    fn stream_id(&mut self, name: &str, about: &About<'_>) -> String {
        let known = match self.recent.is_empty() {
            true => "1-1".to_string(),
            false => self.random.pick(&self.recent).clone(),
        };
        match (about.command.name.as_str(), name) {
            ("XADD" | "XTRIM", "threshold") if about.uses("MAXLEN") => self.int(0, 12),
            ("XADD", "id") => match self.random.below(100) {
                0..4 => known,
                4..10 => format!("{}-*", self.ids + 1),
                _ => self.new_id(),
            },
            ("XREADGROUP", _) => self.of(&[">", ">", ">", "0", "0-0"]),
            ("XREAD", _) => match self.random.below(10) {
                0 => "$".into(),
                1 => "+".into(),
                2 | 3 => known,
                _ => "0".into(),
            },
            ("XGROUP CREATE" | "XGROUP SETID", _) => match self.random.percent(30) {
                true => known,
                false => "0".into(),
            },
            ("XSETID", "last-id" | "lastid") => {
                format!("{}-{}", self.ids + 1, self.random.below(3))
            }
            (_, "start") => match self.random.percent(60) {
                true => self.of(&["-", "-", "0"]),
                false => self.bound(&known),
            },
            (_, "end") => match self.random.percent(70) {
                true => "+".into(),
                false => self.bound(&known),
            },
            _ => known,
        }
    }

    fn bound(&mut self, id: &str) -> String {
        match self.random.percent(30) {
            true => format!("({id}"),
            false => id.to_string(),
        }
    }
}
