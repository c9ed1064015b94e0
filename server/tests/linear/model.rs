//! What one server that does one thing after another would answer.
//!
//! Eight keys, two of each sort, and what EXEC needs to know: which keys a client watches, and whether
//! one of them has been changed since. Replies are in the form of `common::Client::reply`.

use std::collections::VecDeque;
use std::fmt::Write;

/// A request, or a whole transaction, as a client means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Get(usize),
    Set(usize, u64),
    GetSet(usize, u64),
    SetNx(usize, u64),
    Mset([u64; 2]),
    Mget,
    Incr(usize, i64),
    Push(usize, bool, u64),
    Pop(usize, bool),
    Range(usize),
    Move(usize),
    Add(usize, u64),
    Remove(usize, u64),
    Has(usize),
    Carry(usize, u64),
    Del(usize),
    Flush,
    Size,
    Watch(usize),
    Exec(Vec<Op>),
}

pub const KEYS: [&str; 8] = ["s0", "s1", "n0", "n1", "l0", "l1", "t0", "t1"];
/// How many members a set can have.
pub const MEMBERS: u64 = 4;

impl Op {
    /// The words of the request; of a transaction's parts each by itself.
    pub fn words(&self) -> Vec<String> {
        let line = match self {
            Op::Get(k) => format!("GET s{k}"),
            Op::Set(k, v) => format!("SET s{k} v{v}"),
            Op::GetSet(k, v) => format!("GETSET s{k} v{v}"),
            Op::SetNx(k, v) => format!("SETNX s{k} v{v}"),
            Op::Mset([a, b]) => format!("MSET s0 v{a} s1 v{b}"),
            Op::Mget => "MGET s0 n1 s1 n0".to_owned(),
            Op::Incr(k, by) => format!("INCRBY n{k} {by}"),
            Op::Push(k, true, v) => format!("LPUSH l{k} v{v}"),
            Op::Push(k, false, v) => format!("RPUSH l{k} v{v}"),
            Op::Pop(k, true) => format!("LPOP l{k}"),
            Op::Pop(k, false) => format!("RPOP l{k}"),
            Op::Range(k) => format!("LRANGE l{k} 0 -1"),
            Op::Move(k) => format!("LMOVE l{k} l{} RIGHT LEFT", 1 - k),
            Op::Add(k, m) => format!("SADD t{k} m{m}"),
            Op::Remove(k, m) => format!("SREM t{k} m{m}"),
            Op::Has(k) => {
                let mut line = format!("SMISMEMBER t{k}");
                (0..MEMBERS).for_each(|m| write!(line, " m{m}").expect("a string takes all"));
                line
            }
            Op::Carry(k, m) => format!("SMOVE t{k} t{} m{m}", 1 - k),
            Op::Del(key) => format!("DEL {}", KEYS[*key]),
            Op::Flush => "FLUSHALL".to_owned(),
            Op::Size => "DBSIZE".to_owned(),
            Op::Watch(key) => format!("WATCH {}", KEYS[*key]),
            Op::Exec(_) => "EXEC".to_owned(),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}

/// All that the server would hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    strings: [Option<u64>; 2],
    numbers: [Option<i64>; 2],
    lists: [VecDeque<u64>; 2],
    /// A bit for each member.
    sets: [u8; 2],
    /// For each client the keys that it watches, a bit each, and whether one has been changed.
    watched: Vec<(u8, bool)>,
}

fn text(value: Option<u64>) -> String {
    value.map_or("nil".to_owned(), |v| format!("$v{v}"))
}

fn number(n: impl std::fmt::Display) -> String {
    format!(":{n}")
}

impl State {
    pub fn new(clients: usize) -> State {
        State {
            watched: vec![(0, false); clients],
            ..State::default()
        }
    }

    fn change(&mut self, key: usize) {
        for (keys, changed) in &mut self.watched {
            *changed |= *keys & (1 << key) != 0;
        }
    }

    fn holds(&self, key: usize) -> bool {
        let at = key % 2;
        match key / 2 {
            0 => self.strings[at].is_some(),
            1 => self.numbers[at].is_some(),
            2 => !self.lists[at].is_empty(),
            _ => self.sets[at] != 0,
        }
    }

    fn delete(&mut self, key: usize) -> bool {
        let was = self.holds(key);
        let at = key % 2;
        match key / 2 {
            0 => self.strings[at] = None,
            1 => self.numbers[at] = None,
            2 => self.lists[at].clear(),
            _ => self.sets[at] = 0,
        }
        if was {
            self.change(key);
        }
        was
    }

    fn put(&mut self, k: usize, value: u64) {
        self.strings[k] = Some(value);
        self.change(k);
    }

    /// Does it, for a client; what is answered.
    pub fn apply(&mut self, client: usize, op: &Op) -> String {
        match op {
            Op::Get(_) | Op::Set(..) | Op::GetSet(..) | Op::SetNx(..) | Op::Mset(_) | Op::Mget => {
                self.apply_string(op)
            }
            Op::Push(..) | Op::Pop(..) | Op::Range(_) | Op::Move(_) => self.apply_list(op),
            Op::Add(..) | Op::Remove(..) | Op::Has(_) | Op::Carry(..) => self.apply_set(op),
            Op::Incr(k, by) => {
                let sum = self.numbers[*k].unwrap_or(0) + by;
                self.numbers[*k] = Some(sum);
                self.change(2 + k);
                number(sum)
            }
            Op::Del(key) => number(u8::from(self.delete(*key))),
            Op::Flush => {
                for key in 0..KEYS.len() {
                    self.delete(key);
                }
                "+OK".to_owned()
            }
            Op::Size => number((0..KEYS.len()).filter(|key| self.holds(*key)).count()),
            Op::Watch(key) => {
                self.watched[client].0 |= 1 << key;
                "+OK".to_owned()
            }
            Op::Exec(queued) => {
                let (_, changed) = std::mem::take(&mut self.watched[client]);
                if changed {
                    return "nil".to_owned();
                }
                let replies: Vec<String> = queued.iter().map(|op| self.apply(client, op)).collect();
                format!("[{}]", replies.join(" "))
            }
        }
    }

    fn apply_string(&mut self, op: &Op) -> String {
        match op {
            Op::Get(k) => text(self.strings[*k]),
            Op::GetSet(k, v) => {
                let was = self.strings[*k];
                self.put(*k, *v);
                text(was)
            }
            Op::SetNx(k, v) => {
                let is_free = self.strings[*k].is_none();
                if is_free {
                    self.put(*k, *v);
                }
                number(u8::from(is_free))
            }
            Op::Set(k, v) => {
                self.put(*k, *v);
                "+OK".to_owned()
            }
            Op::Mset([a, b]) => {
                self.put(0, *a);
                self.put(1, *b);
                "+OK".to_owned()
            }
            _ => {
                let counter = |n: Option<i64>| n.map_or("nil".to_owned(), |n| format!("${n}"));
                let [a, b] = self.strings.map(text);
                let [n, m] = self.numbers.map(counter);
                format!("[{a} {m} {b} {n}]")
            }
        }
    }

    fn apply_list(&mut self, op: &Op) -> String {
        match *op {
            Op::Push(k, left, v) => {
                match left {
                    true => self.lists[k].push_front(v),
                    false => self.lists[k].push_back(v),
                }
                self.change(4 + k);
                number(self.lists[k].len())
            }
            Op::Pop(k, left) => {
                let value = match left {
                    true => self.lists[k].pop_front(),
                    false => self.lists[k].pop_back(),
                };
                if value.is_some() {
                    self.change(4 + k);
                }
                text(value)
            }
            Op::Move(k) => {
                let value = self.lists[k].pop_back();
                if let Some(value) = value {
                    self.lists[1 - k].push_front(value);
                    self.change(4);
                    self.change(5);
                }
                text(value)
            }
            Op::Range(k) => {
                let values: Vec<String> = self.lists[k].iter().map(|v| text(Some(*v))).collect();
                format!("[{}]", values.join(" "))
            }
            _ => unreachable!("only what is about lists comes here"),
        }
    }

    fn apply_set(&mut self, op: &Op) -> String {
        match *op {
            Op::Add(k, m) => number(u8::from(self.add(k, m))),
            Op::Remove(k, m) => number(u8::from(self.take(k, m))),
            Op::Carry(k, m) => {
                let was = self.take(k, m);
                if was {
                    self.add(1 - k, m);
                }
                number(u8::from(was))
            }
            Op::Has(k) => {
                let has = |m| number(self.sets[k] >> m & 1);
                let all: Vec<String> = (0..MEMBERS).map(has).collect();
                format!("[{}]", all.join(" "))
            }
            _ => unreachable!("only what is about sets comes here"),
        }
    }

    /// A set that has the member already is not changed.
    fn add(&mut self, k: usize, member: u64) -> bool {
        let is_new = self.sets[k] >> member & 1 == 0;
        self.sets[k] |= 1 << member;
        if is_new {
            self.change(6 + k);
        }
        is_new
    }

    fn take(&mut self, k: usize, member: u64) -> bool {
        let was = self.sets[k] >> member & 1 == 1;
        self.sets[k] &= !(1 << member);
        if was {
            self.change(6 + k);
        }
        was
    }
}
