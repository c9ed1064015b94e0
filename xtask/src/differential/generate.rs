//! Requests from the rows' syntax.
//!
//! A walk through a command's argument tree decides which options a request takes and how often what
//! repeats is said; the words come from `words.rs`, once it is known which options there are (a bound
//! is a score behind BYSCORE and a member behind BYLEX). Half of the time the form that has had the
//! fewest full replies so far is asked for, so that rare options catch up by themselves.
//!
//! A case is what belongs together: one request, or MULTI, some requests and EXEC. What may block
//! always stands in a transaction, where it does not wait. A request with an answer that chance chooses
//! is followed by the deletion of its keys (`undo` in the rules).

use super::grammar::{Argument, Command};
use super::random::Random;
use super::rules::{How, Rules};
use super::table::Table;
use super::words::{About, Words};
use std::collections::BTreeMap;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) words: Vec<Vec<u8>>,
    /// Which command of the generator's list it is; none for MULTI, EXEC and what is undone.
    pub(crate) command: Option<usize>,
    pub(crate) used: Vec<String>,
    pub(crate) how: How,
}

impl Line {
    pub(crate) fn plain(words: &[&str]) -> Line {
        Line::of(words.iter().map(|w| w.as_bytes().to_vec()).collect())
    }

    /// A request that the table does not count.
    fn of(words: Vec<Vec<u8>>) -> Line {
        Line {
            words,
            command: None,
            used: Vec::new(),
            how: How::default(),
        }
    }

    /// Where any cursor but 0 stands is each server's own.
    pub(crate) fn settle_scan(&mut self) {
        if self.how.scan {
            let cursor = 1 + usize::from(!self.words[0].eq_ignore_ascii_case(b"SCAN"));
            let at_start = self.words.get(cursor).is_some_and(|word| word == b"0");
            (self.how.scan, self.how.kind) = (at_start, !at_start);
        }
    }

    /// The command's word, and a container's second.
    pub(crate) fn name(&self) -> String {
        let has_second = matches!(&*self.words[0], b"OBJECT" | b"XINFO" | b"XGROUP");
        let words = &self.words[..self.words.len().min(1 + usize::from(has_second))];
        String::from_utf8_lossy(&words.join(&b' ')).into_owned()
    }
}

/// Requests that stand or fall together.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) lines: Vec<Line>,
    /// The lines between MULTI and EXEC are answered by the last one.
    pub(crate) in_exec: bool,
}

/// A request, and where its values stand.
pub(crate) struct Request {
    pub(crate) line: Line,
    pub(crate) places: Vec<Place>,
}

/// Where a value stands in a request, and what it is.
pub(crate) struct Place {
    pub(crate) word: usize,
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// What one argument of a request turned into.
enum Piece {
    Token(String),
    Value { name: String, kind: String },
    Count(usize),
}

pub(crate) struct Generator {
    pub(crate) commands: Vec<Command>,
    /// Option words of each command that the peer has too.
    allowed: Vec<Vec<String>>,
    /// Option words that are left out, to keep branches out of reach.
    barred: Vec<Vec<String>>,
    weights: Vec<usize>,
    rules: Rules,
    pub(crate) words: Words,
}

const GROUPS: &[&str] = &[
    "string",
    "bitmap",
    "list",
    "set",
    "hash",
    "sorted-set",
    "stream",
    "geo",
    "hyperloglog",
    "generic",
];

/// How often a command is drawn where nothing else asks for it; 100 is usual.
fn weight(name: &str) -> usize {
    match name {
        "FLUSHALL" | "FLUSHDB" => 1,
        "SWAPDB" | "MOVE" | "SELECT" => 5,
        "DEL" | "UNLINK" | "RENAME" | "RENAMENX" | "COPY" | "RESTORE" => 25,
        "XGROUP DESTROY" | "XGROUP DELCONSUMER" | "XSETID" => 10,
        "XTRIM" | "XDEL" => 40,
        "XADD" | "XREADGROUP" | "GEOADD" => 600,
        "XGROUP CREATE" => 200,
        "ZADD" | "HSET" | "RPUSH" | "SADD" | "SET" => 300,
        _ => 100,
    }
}

impl Generator {
    /// Our commands, less what the peer lacks.
    pub(crate) fn new(
        ours: BTreeMap<String, Command>,
        theirs: &BTreeMap<String, Command>,
        rules: Rules,
        words: Words,
    ) -> Generator {
        let mut generator = Generator {
            commands: Vec::new(),
            allowed: Vec::new(),
            barred: Vec::new(),
            weights: Vec::new(),
            rules,
            words,
        };
        for (name, command) in ours {
            let takes_part = GROUPS.contains(&command.group.as_str()) && !name.ends_with(" HELP");
            let Some(peer) = theirs.get(&name).filter(|_| takes_part) else {
                continue;
            };
            if generator.rules.how(&name, &[]).skip {
                continue;
            }
            let known = peer.tokens();
            let (allowed, barred) = command.tokens().into_iter().partition(|token| {
                let how = generator.rules.how(&name, std::slice::from_ref(token));
                (known.contains(token) || how.has) && !how.skip
            });
            generator.allowed.push(allowed);
            generator.barred.push(barred);
            generator.weights.push(weight(&name));
            generator.commands.push(command);
        }
        generator
    }

    /// The option words that are left out for want of the peer, by command.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (&str, &[String])> {
        let names = self.commands.iter().map(|c| c.name.as_str());
        names
            .zip(self.barred.iter().map(Vec::as_slice))
            .filter(|(_, t)| !t.is_empty())
    }

    pub(crate) fn table(&self) -> Table {
        let names = self.commands.iter().map(|c| c.name.clone()).collect();
        Table::new(names, self.allowed.clone())
    }

    /// The next case.
    pub(crate) fn case(&mut self, table: &Table) -> Case {
        if self.words.random.percent(3) {
            let count = 1 + self.words.random.below(4);
            let lines: Vec<Line> = (0..count).flat_map(|_| self.line(table)).collect();
            return wrapped(lines, self.words.random.percent(90));
        }
        let lines = self.line(table);
        let mut commands = lines.iter().filter_map(|line| line.command);
        let blocks = commands.any(|at| self.commands[at].blocking);
        if blocks {
            return wrapped(lines, true);
        }
        Case {
            lines,
            in_exec: false,
        }
    }

    /// A request, and the deletion of its keys if its answer is chance's.
    fn line(&mut self, table: &Table) -> Vec<Line> {
        let (at, wanted) = self.choose(table);
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let Request { mut line, places } = self.request(at, &wanted);
        let is_of_time = |place: &Place| {
            place.name.contains("seconds")
                || place.name.contains("idle")
                || matches!(&*place.name, "ttl" | "timeout" | "ms")
        };
        let name_words = self.commands[at].name.split(' ').count();
        // A score in the wrong place would mix the scores of keys that are ordered by member.
        let is_lex = line.words.iter().any(|word| word.starts_with(b"lex:"));
        let may_spoil = !line.how.whole && !is_lex && !places.iter().any(is_of_time);
        let is_spoiled = may_spoil && self.words.random.percent(3);
        if is_spoiled {
            spoil(&mut self.words.random, &mut line.words, name_words);
        }
        line.settle_scan();
        let keys: Vec<Vec<u8>> = places
            .iter()
            .filter(|place| place.kind == "key")
            .filter_map(|place| line.words.get(place.word).cloned())
            .collect();
        let mut lines = Vec::new();
        if !keys.is_empty() && self.words.random.percent(30) {
            let key = self.words.random.pick(&keys).clone();
            // So that requests meet data although much of what they do takes away.
            lines.extend(self.words.data(&key).into_iter().map(Line::of));
        }
        let undone = match line.how.undo {
            false => Vec::new(),
            // Which of its words are keys now is the server's to say.
            true if is_spoiled => line.words[name_words.min(line.words.len())..].to_vec(),
            true => keys,
        };
        lines.push(line);
        if !undone.is_empty() {
            let mut del = Line::plain(&["DEL"]);
            del.words.extend(undone);
            // How much was left is chance's too.
            del.how.kind = true;
            lines.push(del);
        }
        lines
    }

    /// A request with these options, each as often as it is named.
    pub(crate) fn request(&mut self, at: usize, wanted: &[&str]) -> Request {
        let command = &self.commands[at];
        let mut walk = Walk {
            words: &mut self.words,
            allowed: &self.allowed[at],
            wanted,
            pieces: Vec::new(),
            used: Vec::new(),
        };
        walk.sequence(&command.arguments);
        let (pieces, used) = (walk.pieces, walk.used);
        let pool = self.words.pool(command, &used);
        let about = About {
            command,
            used: &used,
            pool,
        };
        let name = command.name.split(' ');
        let mut words: Vec<Vec<u8>> = name.map(|word| word.as_bytes().to_vec()).collect();
        let mut places = Vec::new();
        for piece in pieces {
            let (word, place) = match piece {
                Piece::Token(token) => (token.into_bytes(), None),
                Piece::Count(n) => {
                    let n = if self.words.random.percent(98) {
                        n
                    } else {
                        n + 1
                    };
                    let place = ("numkeys".to_string(), "integer".to_string());
                    (n.to_string().into_bytes(), Some(place))
                }
                Piece::Value { name, kind } => {
                    let word = self.words.word(&name, &kind, &about);
                    (word, Some((name, kind)))
                }
            };
            if let Some((name, kind)) = place {
                let word = words.len();
                places.push(Place { word, name, kind });
            }
            words.push(word);
        }
        let mut how = self.rules.how(&command.name, &used);
        how.unordered |= command.unordered;
        let line = Line {
            words,
            command: Some(at),
            used,
            how,
        };
        Request { line, places }
    }

    /// The option words of a command that take part.
    pub(crate) fn tokens(&self, at: usize) -> &[String] {
        &self.allowed[at]
    }

    /// A command, and the option that the request shall have.
    fn choose(&mut self, table: &Table) -> (usize, Option<String>) {
        let random = &mut self.words.random;
        if random.percent(50)
            && let Some(form) = table.behind(random)
        {
            return form;
        }
        let total: usize = self.weights.iter().sum();
        let mut at = random.below(total);
        for (index, weight) in self.weights.iter().enumerate() {
            if at < *weight {
                return (index, None);
            }
            at -= weight;
        }
        unreachable!("the number drawn is below the weights' sum")
    }
}

/// Leaves a word out, says one twice, or swaps two; the name stays.
fn spoil(random: &mut Random, words: &mut Vec<Vec<u8>>, name_words: usize) {
    let count = words.len() - name_words;
    if count == 0 {
        return;
    }
    let at = name_words + random.below(count);
    match random.below(4) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => words.swap(at, name_words + random.below(count)),
        _ => words[at] = words[at].to_ascii_lowercase(),
    }
}

pub(crate) fn wrapped(mut lines: Vec<Line>, exec: bool) -> Case {
    lines.insert(0, Line::plain(&["MULTI"]));
    lines.push(Line::plain(&[if exec { "EXEC" } else { "DISCARD" }]));
    Case {
        lines,
        in_exec: exec,
    }
}

/// One descent through a tree.
struct Walk<'a> {
    words: &'a mut Words,
    allowed: &'a [String],
    wanted: &'a [&'a str],
    pieces: Vec<Piece>,
    used: Vec<String>,
}

fn is_count(argument: &Argument) -> bool {
    argument.kind == "integer" && argument.name.starts_with("num") && argument.name != "num"
}

impl<'a> Walk<'a> {
    /// Arguments that stand side by side: a count tells how many there are of what repeats, and two
    /// that repeat are equally long (keys and ids of XREAD).
    fn sequence(&mut self, arguments: &[Argument]) {
        let times = match self.words.random.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        for argument in arguments {
            let wanted = self.wants(argument);
            if argument.optional && wanted.len() > 1 && self.is_open(argument) {
                // Said twice, or two that contradict each other.
                for token in wanted {
                    let all = std::mem::replace(&mut self.wanted, std::slice::from_ref(token));
                    let once = Argument {
                        optional: false,
                        ..argument.clone()
                    };
                    self.sequence(std::slice::from_ref(&once));
                    self.wanted = all;
                }
                continue;
            }
            if argument.optional && !self.takes(argument) {
                continue;
            }
            if is_count(argument) {
                self.token(argument);
                self.pieces.push(Piece::Count(times));
                continue;
            }
            let times = if argument.multiple { times } else { 1 };
            for time in 0..times {
                if time == 0 || argument.multiple_token {
                    self.token(argument);
                }
                self.inner(argument);
            }
        }
    }

    fn token(&mut self, argument: &Argument) {
        if let Some(token) = &argument.token
            && argument.kind != "pure-token"
        {
            self.push_token(token);
        }
    }

    fn push_token(&mut self, token: &str) {
        self.pieces.push(Piece::Token(token.to_string()));
        let token = token.to_uppercase();
        if !self.used.contains(&token) {
            self.used.push(token);
        }
    }

    fn inner(&mut self, argument: &Argument) {
        match argument.kind.as_str() {
            "pure-token" => self.push_token(argument.token.as_deref().unwrap_or_default()),
            "block" => self.sequence(&argument.parts),
            "oneof" => {
                let open: Vec<&Argument> = argument
                    .parts
                    .iter()
                    .filter(|part| self.is_open(part))
                    .collect();
                let wanted = open.iter().find(|part| !self.wants(part).is_empty());
                let chosen = match (wanted, open.is_empty()) {
                    (Some(part), _) => part,
                    (None, false) => *self.words.random.pick(&open),
                    (None, true) => return,
                };
                self.sequence(std::slice::from_ref(&Argument {
                    optional: false,
                    ..chosen.clone()
                }));
            }
            kind => self.pieces.push(Piece::Value {
                name: argument.name.clone(),
                kind: kind.to_string(),
            }),
        }
    }

    /// What of the wanted lies here.
    fn wants(&self, argument: &Argument) -> Vec<&'a &'a str> {
        let wanted: &'a [&'a str] = self.wanted;
        wanted.iter().filter(|token| argument.has(token)).collect()
    }

    /// Has the peer this argument? Of a choice one part is enough.
    fn is_open(&self, argument: &Argument) -> bool {
        let own = argument.token.as_ref().is_none_or(|token| {
            let token = token.to_uppercase();
            self.allowed.contains(&token)
        });
        own && match argument.kind.as_str() {
            "oneof" => argument.parts.iter().any(|part| self.is_open(part)),
            "block" => argument
                .parts
                .iter()
                .all(|part| part.optional || self.is_open(part)),
            _ => true,
        }
    }

    fn takes(&mut self, argument: &Argument) -> bool {
        if !self.is_open(argument) {
            return false;
        }
        // LIMIT is an error without ~.
        let is_near = argument.has("~") && self.wanted.contains(&"LIMIT");
        let percent = match (is_near, self.wanted.is_empty()) {
            (true, _) => 90,
            (false, true) => 35,
            (false, false) => 20,
        };
        !self.wants(argument).is_empty() || self.words.random.percent(percent)
    }
}
