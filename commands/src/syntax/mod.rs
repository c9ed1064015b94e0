//! A row's `syntax` line as the argument tree that COMMAND DOCS, hints and help show.
//!
//! The notation is that of Redis's manual pages:
//!
//! ```text
//!   word            a value; its name tells its type (key, seconds, pattern, …)
//!   WORD            a token by itself, or, with values behind it, what introduces them
//!   [x]  <x>        may be left out; must be there
//!   x | y           one of them
//!   x [x ...]       once or more; inside of [ ] any number of times
//!
//!   key [NX | XX] [EX seconds | KEEPTTL]
//!     ├─ key
//!     ├─ oneof?  ── NX, XX                     tokens
//!     └─ oneof?  ── EX seconds, KEEPTTL        a token with its value, a token
//! ```
//!
//! A token takes the values that follow it up to the next token, bracket or bar: `LIMIT offset
//! count` is one block, and `OVERFLOW <WRAP | SAT>` one choice that has a token.
//!
//! I1  printing the tree gives back the line: nothing of it is lost or read as something else.
//!
//! The tree and its printing are here, the reading of a line is in `read.rs`.
//!
//! Checked by: tests below; the test of every row in this crate, and the server's for its own rows.

mod read;

pub use read::parse;

use std::fmt;

/// COMMAND DOCS' argument types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes.
    String,
    /// A 64-bit integer.
    Integer,
    /// A float.
    Double,
    /// A key's name.
    Key,
    /// A glob pattern.
    Pattern,
    /// A moment since 1970.
    UnixTime,
    /// A word that stands for itself.
    PureToken,
    /// One of the parts.
    OneOf,
    /// All of the parts, in order.
    Block,
}

impl Kind {
    /// COMMAND DOCS' word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::PureToken => "pure-token",
            Kind::OneOf => "oneof",
            Kind::Block => "block",
        }
    }
}

/// One argument, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name: the word of the line, in lower case.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The word that introduces it, in upper case.
    pub token: Option<&'static str>,
    /// May be left out.
    pub optional: bool,
    /// May be said again.
    pub multiple: bool,
    /// Every repetition says the token again.
    pub multiple_token: bool,
    /// Which of the row's key ranges it belongs to.
    pub key_spec_index: Option<usize>,
    /// The parts of a choice or a block.
    pub parts: Vec<Argument>,
}

impl Argument {
    fn new(name: &str, kind: Kind) -> Argument {
        Argument {
            name: name.to_ascii_lowercase(),
            kind,
            token: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            key_spec_index: None,
            parts: Vec::new(),
        }
    }

    fn group(kind: Kind, parts: Vec<Argument>) -> Argument {
        let named = parts
            .iter()
            .find(|part| part.kind != Kind::PureToken)
            .or(parts.first());
        let name = match (kind, named) {
            (Kind::OneOf, _) => "choice".to_owned(),
            (_, Some(part)) => part.name.clone(),
            (_, None) => "block".to_owned(),
        };
        Argument {
            parts,
            ..Argument::new(&name, kind)
        }
    }

    /// One argument for a sequence: itself when it is the only one and free to be marked.
    fn of_sequence(mut parts: Vec<Argument>) -> Argument {
        if parts.len() == 1 && !parts[0].optional {
            return parts.remove(0);
        }
        Argument::group(Kind::Block, parts)
    }

    /// Without its brackets and its repetition.
    fn core(&self) -> String {
        let inner = match self.kind {
            Kind::PureToken => return self.token.unwrap_or_default().to_owned(),
            Kind::OneOf => join(&self.parts, " | "),
            Kind::Block => join(&self.parts, " "),
            _ => self.name.clone(),
        };
        let inner = match self.kind {
            Kind::OneOf if self.token.is_some() || !self.optional => format!("<{inner}>"),
            _ => inner,
        };
        let once = match self.token {
            Some(token) => format!("{token} {inner}"),
            None => inner.clone(),
        };
        match (self.multiple, self.multiple_token) {
            (false, _) => once,
            (true, false) if self.token.is_some() => format!("{once} [{inner} ...]"),
            (true, _) => format!("{once} [{once} ...]"),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional {
            write!(f, "[{}]", self.core())
        } else {
            f.write_str(&self.core())
        }
    }
}

/// The line that `arguments` came from.
#[must_use]
pub fn line(arguments: &[Argument]) -> String {
    join(arguments, " ")
}

fn join(arguments: &[Argument], between: &str) -> String {
    arguments
        .iter()
        .map(Argument::to_string)
        .collect::<Vec<_>>()
        .join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{CommandSpec, Keys};

    /// One line a node: depth, name, type, token, marks.
    fn outline(arguments: &[Argument], depth: usize, out: &mut Vec<String>) {
        for a in arguments {
            let token = a.token.map(|t| format!(" {t}")).unwrap_or_default();
            let marks = [
                (a.optional, "?"),
                (a.multiple, "+"),
                (a.multiple_token, "T"),
            ];
            let marks: String = marks.iter().filter(|m| m.0).map(|m| m.1).collect();
            let key = a
                .key_spec_index
                .map(|i| format!(" @{i}"))
                .unwrap_or_default();
            let indent = "-".repeat(depth);
            out.push(format!(
                "{indent}{} {}{token}{marks}{key}",
                a.name,
                a.kind.word()
            ));
            outline(&a.parts, depth + 1, out);
        }
    }

    fn check(syntax: &'static str, key_ranges: usize, expected: &[&str]) {
        let arguments = parse(syntax, key_ranges).expect(syntax);
        assert_eq!(line(&arguments), syntax);
        let mut out = Vec::new();
        outline(&arguments, 0, &mut out);
        assert_eq!(out, expected, "{syntax}");
    }

    #[test]
    fn words_tokens_and_brackets() {
        check("", 0, &[]);
        check("key", 1, &["key key @0"]);
        check(
            "key1 key2 [LEN]",
            1,
            &["key1 key @0", "key2 key @0", "len pure-token LEN?"],
        );
        check(
            "key value [NX | XX] [EX seconds | KEEPTTL]",
            1,
            &[
                "key key @0",
                "value string",
                "choice oneof?",
                "-nx pure-token NX",
                "-xx pure-token XX",
                "choice oneof?",
                "-seconds integer EX",
                "-keepttl pure-token KEEPTTL",
            ],
        );
        check(
            "<AND | OR> destkey key [key ...]",
            2,
            &[
                "choice oneof",
                "-and pure-token AND",
                "-or pure-token OR",
                "destkey key @0",
                "key key+ @1",
            ],
        );
        check(
            "key [LIMIT offset count]",
            1,
            &[
                "key key @0",
                "limit block LIMIT?",
                "-offset integer",
                "-count integer",
            ],
        );
        check(
            "MAXLEN [= | ~] threshold",
            0,
            &[
                "maxlen pure-token MAXLEN",
                "choice oneof?",
                "-= pure-token =",
                "-~ pure-token ~",
                "threshold string",
            ],
        );
    }

    #[test]
    fn repetition() {
        check(
            "key value [key value ...]",
            1,
            &["key block+", "-key key @0", "-value string"],
        );
        check("[key [key ...]]", 1, &["key key?+ @0"]);
        check(
            "[WEIGHTS weight [weight ...]]",
            0,
            &["weight double WEIGHTS?+"],
        );
        check(
            "key [GET pattern [GET pattern ...]]",
            1,
            &["key key @0", "pattern pattern GET?+T"],
        );
        check(
            "key [GET a offset [GET a offset ...]]",
            1,
            &[
                "key key @0",
                "get block GET?+T",
                "-a string",
                "-offset integer",
            ],
        );
        check(
            "STREAMS key [key ...] id [id ...]",
            1,
            &["streams block STREAMS", "-key key+ @0", "-id string+"],
        );
        check(
            "<a | B> [<a | B> ...]",
            0,
            &["choice oneof+", "-a string", "-b pure-token B"],
        );
        check(
            "[GET a | [OVERFLOW <X | Y>] <SET b | C> [GET a | [OVERFLOW <X | Y>] <SET b | C> ...]]",
            0,
            &[
                "choice oneof?+",
                "-a string GET",
                "-overflow block",
                "--overflow oneof OVERFLOW?",
                "---x pure-token X",
                "---y pure-token Y",
                "--choice oneof",
                "---b string SET",
                "---c pure-token C",
            ],
        );
    }

    #[test]
    fn repetition_behind_a_token_with_values() {
        check(
            "[GET a | SET b c [GET a | SET b c ...]]",
            0,
            &[
                "choice oneof?+",
                "-a string GET",
                "-set block SET",
                "--b string",
                "--c string",
            ],
        );
    }

    #[test]
    fn broken_lines_say_so() {
        for syntax in [
            "[key",
            "key]",
            "[]",
            "<a | >",
            "a [b ...]",
            "[a [b | c ...]]",
        ] {
            assert!(parse(syntax, 0).is_err(), "{syntax}");
        }
    }

    #[test]
    fn every_row_parses_and_prints_as_it_was() {
        fn visit(spec: &CommandSpec) {
            let ranges = match spec.keys {
                Keys::None => 0,
                Keys::At(ranges) => ranges.len(),
            };
            let arguments =
                parse(spec.syntax, ranges).unwrap_or_else(|why| panic!("{}: {why}", spec.name));
            assert_eq!(line(&arguments), spec.syntax, "{}", spec.name);
            assert!(
                !spec.summary.is_empty() && spec.summary.ends_with('.'),
                "{}",
                spec.name
            );
            spec.subcommands.iter().for_each(visit);
        }
        crate::table()
            .iter()
            .copied()
            .flatten()
            .copied()
            .for_each(visit);
    }
}
