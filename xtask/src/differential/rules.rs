//! `tests/differential/rules.txt`: where replies may differ, and why.
//!
//! One rule a line, in columns that two blanks or more part:
//!
//! ```text
//!   # command      option  peer      how             reason
//!   SPOP           -       *         length,undo     random
//!   OBJECT FREQ    -       *         near:100        a clock
//!   SORT           BY      redis<8   skip            open: …
//! ```
//!
//! The command may be `*`, all of them. The option is a token that the request used, several joined by `+`, or `-` for every request; the peer `*`, `redis`,
//! `valkey`, or one of them with `<VERSION`. All rules that fit hold together. A rule whose reason
//! begins with `open:` is a difference that is to be mended.

use crate::{Res, sh};

/// How strictly two replies are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// The request is not made at all.
    pub(crate) skip: bool,
    /// Elements in any order.
    pub(crate) unordered: bool,
    /// Same kind of reply.
    pub(crate) kind: bool,
    /// Same kind, and as many elements.
    pub(crate) length: bool,
    /// Numbers may differ by so much.
    pub(crate) near: u64,
    /// Doubles may be spelt in other digits.
    pub(crate) float: bool,
    /// A cursor and a list: all of it in any order when both cursors are at the end.
    pub(crate) scan: bool,
    /// Any error is as good as another.
    pub(crate) errors: bool,
    /// Errors are compared by their first word.
    pub(crate) code: bool,
    /// Ours may refuse what the peer answers.
    pub(crate) stricter: bool,
    /// The peer may refuse what ours answers.
    pub(crate) looser: bool,
    /// Its words are left as they came: what a word too many means differs.
    pub(crate) whole: bool,
    /// The request's keys are deleted afterwards.
    pub(crate) undo: bool,
    /// The peer has the option, though its COMMAND DOCS do not name it.
    pub(crate) has: bool,
    /// The form need not come with a full reply a hundred times.
    pub(crate) rare: bool,
}

impl How {
    fn add(&mut self, word: &str) -> Res<()> {
        match word {
            "skip" => self.skip = true,
            "unordered" => self.unordered = true,
            "kind" => self.kind = true,
            "length" => self.length = true,
            "float" => self.float = true,
            "scan" => self.scan = true,
            "errors" => self.errors = true,
            "code" => self.code = true,
            "undo" => self.undo = true,
            "stricter" => self.stricter = true,
            "looser" => self.looser = true,
            "rare" => self.rare = true,
            "whole" => self.whole = true,
            "has" => self.has = true,
            _ => {
                let number = word.strip_prefix("near:").and_then(|n| n.parse().ok());
                self.near = number.ok_or_else(|| format!("`{word}` is no way to compare"))?;
            }
        }
        Ok(())
    }
}

/// The server that ours is compared with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) version: Vec<u64>,
}

impl Peer {
    /// Reads INFO's `server` section.
    pub(crate) fn from_info(info: &str) -> Peer {
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        match field("valkey_version") {
            Some(text) => Peer {
                name: "valkey".into(),
                version: version(text),
            },
            None => Peer {
                name: "redis".into(),
                version: version(field("redis_version").unwrap_or("")),
            },
        }
    }

    fn fits(&self, pattern: &str) -> bool {
        match pattern.split_once('<') {
            Some((name, end)) => name == self.name && self.version < version(end),
            None => pattern == "*" || pattern == self.name,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.version.iter().map(u64::to_string).collect();
        write!(f, "{} {}", self.name, numbers.join("."))
    }
}

fn version(text: &str) -> Vec<u64> {
    text.split('.').map_while(|n| n.parse().ok()).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    command: String,
    token: String,
    how: How,
    reason: String,
}

impl Rule {
    /// `BY+ALPHA`: both.
    fn tokens(&self) -> impl Iterator<Item = &str> {
        let is_one = self.token.len() == 1;
        let parts = self.token.split('+').filter(move |_| !is_one);
        parts.chain(is_one.then_some(self.token.as_str()))
    }
}

/// The rules that hold for one peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    pub(crate) fn read(peer: &Peer) -> Res<Rules> {
        let path = sh::root().join("tests/differential/rules.txt");
        Rules::parse(&sh::read(&path)?, peer).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(text: &str, peer: &Peer) -> Res<Rules> {
        let mut rules = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let columns: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .collect();
            let [command, token, peers, how, reason] = columns[..] else {
                if columns.is_empty() || line.starts_with('#') {
                    continue;
                }
                return Err(format!("line {}: five columns are wanted", at + 1));
            };
            if !peer.fits(peers) {
                continue;
            }
            let mut rule = Rule {
                command: command.into(),
                token: token.into(),
                how: How::default(),
                reason: reason.into(),
            };
            for word in how.split(',') {
                rule.how
                    .add(word)
                    .map_err(|e| format!("line {}: {e}", at + 1))?;
            }
            rules.push(rule);
        }
        Ok(Rules(rules))
    }

    /// All that holds for a command and one of its forms.
    fn of<'a>(&'a self, command: &'a str, used: &'a [String]) -> impl Iterator<Item = &'a Rule> {
        self.0.iter().filter(move |rule| {
            (rule.command == command || rule.command == "*")
                && (rule.token == "-" || rule.tokens().all(|token| used.iter().any(|u| u == token)))
        })
    }

    /// How a request's replies are compared.
    pub(crate) fn how(&self, command: &str, used: &[String]) -> How {
        let mut all = How::default();
        for rule in self.of(command, used) {
            let how = &rule.how;
            all.skip |= how.skip;
            all.unordered |= how.unordered;
            all.kind |= how.kind;
            all.length |= how.length;
            all.float |= how.float;
            all.scan |= how.scan;
            all.errors |= how.errors;
            all.code |= how.code;
            all.stricter |= how.stricter;
            all.looser |= how.looser;
            all.whole |= how.whole;
            all.undo |= how.undo;
            all.has |= how.has;
            all.near = all.near.max(how.near);
        }
        all
    }

    /// Why a form is left out, or need not be seen often; `-` is the command itself.
    pub(crate) fn excuse(&self, command: &str, token: &str) -> Option<(&How, &str)> {
        self.0
            .iter()
            .find(|r| {
                r.command == command
                    && ((r.how.skip && (r.token == "-" || r.token == token))
                        || (r.how.rare && r.token == token))
            })
            .map(|r| (&r.how, r.reason.as_str()))
    }

    /// The differences that are still to be mended.
    pub(crate) fn open(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(|r| r.reason.starts_with("open:"))
            .map(|r| format!("{} {}: {}", r.command, r.token, r.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(info: &str, command: &str, used: &[&str], expected: &str) {
        let text = "# c\nSPOP  -  *  length,undo  random\nSET  GET  redis<7.2  skip  why not\n\
                    TTL  -  valkey  near:2  a clock\n";
        let rules = Rules::parse(text, &Peer::from_info(info)).expect("well formed");
        let used: Vec<String> = used.iter().map(|w| w.to_string()).collect();
        let mut wanted = How::default();
        expected
            .split_whitespace()
            .for_each(|word| wanted.add(word).expect("a word"));
        assert_eq!(rules.how(command, &used), wanted, "{command} at {info}");
    }

    #[test]
    fn rules_hold_for_their_peers_and_options() {
        check("redis_version:7.0.15", "SPOP", &["COUNT"], "length undo");
        check("redis_version:7.0.15", "SET", &["GET"], "skip");
        check("redis_version:7.0.15", "SET", &["NX"], "");
        check("redis_version:8.0.6", "SET", &["GET"], "");
        check(
            "redis_version:7.2.4\r\nvalkey_version:9.1.0",
            "TTL",
            &[],
            "near:2",
        );
        check("redis_version:7.2.4", "TTL", &[], "");
    }

    #[test]
    fn broken_lines_are_named() {
        for text in ["SPOP  -  *  length", "SPOP  -  *  nonsense  why"] {
            let error = Rules::parse(text, &Peer::default()).expect_err(text);
            assert!(error.starts_with("line 1"), "{error}");
        }
    }
}
