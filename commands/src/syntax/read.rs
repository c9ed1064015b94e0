//! Reading a row's `syntax` line: words, then the tree by descent. The notation is told in `mod.rs`.

use super::{Argument, Kind, join, line};

/// The arguments of a row: `syntax` is its line, `key_ranges` the number of its key ranges.
///
/// # Errors
/// What is wrong with the line and where; a test keeps every row free of it.
pub fn parse(syntax: &'static str, key_ranges: usize) -> Result<Vec<Argument>, String> {
    let mut parser = Parser {
        words: split(syntax),
        at: 0,
    };
    let mut arguments = parser.sequence()?.0;
    if parser.at != parser.words.len() {
        return Err(format!("`{}` is left over", parser.words[parser.at]));
    }
    number_keys(&mut arguments, &mut 0, key_ranges);
    Ok(arguments)
}

/// Gives each key the index of its range, in order; further keys belong to the last one.
fn number_keys(arguments: &mut [Argument], next: &mut usize, key_ranges: usize) {
    for argument in arguments {
        if argument.kind == Kind::Key && key_ranges > 0 {
            argument.key_spec_index = Some((*next).min(key_ranges - 1));
            *next += 1;
        }
        number_keys(&mut argument.parts, next, key_ranges);
    }
}

/// Brackets and bars are words of their own.
fn split(syntax: &'static str) -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut rest = syntax;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return words;
        };
        let end = if "[]<>|".contains(first) {
            1
        } else {
            let stop = |c: char| c.is_whitespace() || "[]<>|".contains(c);
            rest.find(stop).unwrap_or(rest.len())
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
}

struct Parser {
    words: Vec<&'static str>,
    at: usize,
}

/// What a bracket turned out to repeat, if it closed with `...`.
enum Repeats {
    /// So many arguments before it.
    Before(usize),
    /// The whole group that it stands in; the alternatives as they print.
    Group(String),
}

impl Parser {
    fn peek(&self) -> Option<&'static str> {
        self.words.get(self.at).copied()
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(format!("`{wanted}` is missing at word {}", self.at))
    }

    /// Arguments up to a bar, a closing bracket, `...` or the end. The second part says that the
    /// group around is repeated.
    fn sequence(&mut self) -> Result<(Vec<Argument>, Option<String>), String> {
        let mut done: Vec<Argument> = Vec::new();
        while let Some(word) = self.peek() {
            match word {
                "|" | "]" | ">" | "..." => break,
                "[" => match self.repetition(&done)? {
                    Some(Repeats::Before(count)) => {
                        let repeated = done.split_off(done.len() - count);
                        let mut argument = Argument::of_sequence(repeated);
                        argument.multiple = true;
                        argument.multiple_token = argument.token.is_some();
                        done.push(argument);
                    }
                    Some(Repeats::Group(text)) => return Ok((done, Some(text))),
                    None => {
                        self.at += 1;
                        let mut argument = self.alternatives()?;
                        self.expect("]")?;
                        argument.optional = true;
                        done.push(argument);
                    }
                },
                "<" => {
                    self.at += 1;
                    let argument = self.alternatives()?;
                    self.expect(">")?;
                    done.push(argument);
                }
                word if is_token(word) => done.push(self.token()?),
                word => {
                    self.at += 1;
                    done.push(Argument::new(word, kind_of(word)));
                }
            }
        }
        Ok((done, None))
    }

    /// What stands between brackets.
    fn alternatives(&mut self) -> Result<Argument, String> {
        let mut choices = Vec::new();
        let mut repeated = None;
        loop {
            let (sequence, group) = self.sequence()?;
            repeated = repeated.or(group);
            if sequence.is_empty() {
                return Err(format!("nothing stands before word {}", self.at));
            }
            choices.push(Argument::of_sequence(sequence));
            if self.peek() != Some("|") {
                break;
            }
            self.at += 1;
        }
        let text = join(&choices, " | ");
        let mut argument = match choices.len() {
            1 => choices.remove(0),
            _ => Argument::group(Kind::OneOf, choices),
        };
        if let Some(again) = repeated {
            if again != text {
                return Err(format!("`[{again} ...]` repeats nothing"));
            }
            argument.multiple = true;
        }
        Ok(argument)
    }

    /// A token with the values that belong to it.
    fn token(&mut self) -> Result<Argument, String> {
        let token = self.words[self.at];
        self.at += 1;
        let mut values: Vec<Argument> = Vec::new();
        while let Some(word) = self.peek() {
            let here = self.at;
            match word {
                "<" if values.is_empty() => {
                    self.at += 1;
                    values.push(self.alternatives()?);
                    self.expect(">")?;
                    break;
                }
                "[" => match self.repetition(&values)? {
                    Some(Repeats::Before(count)) => {
                        let repeated = values.split_off(values.len() - count);
                        let mut argument = Argument::of_sequence(repeated);
                        argument.multiple = true;
                        values.push(argument);
                    }
                    // A repetition of something around: whoever it concerns reads it again.
                    _ => {
                        self.at = here;
                        break;
                    }
                },
                "|" | "]" | "<" | ">" | "..." => break,
                word if is_token(word) => break,
                word => {
                    self.at += 1;
                    values.push(Argument::new(word, kind_of(word)));
                }
            }
        }
        let mut argument = match values.len() {
            0 => Argument::new(token, Kind::PureToken),
            1 if values[0].token.is_none() => values.remove(0),
            _ => Argument::group(Kind::Block, values),
        };
        if argument.kind == Kind::Block || argument.kind == Kind::OneOf {
            argument.name = token.to_ascii_lowercase();
        }
        argument.token = Some(token);
        Ok(argument)
    }

    /// Reads a bracket that closes with `...`: it says again what ends `before`, or the group that
    /// it stands in. Any other bracket is left unread.
    fn repetition(&mut self, before: &[Argument]) -> Result<Option<Repeats>, String> {
        let start = self.at;
        let close = self.closing(start)?;
        if self.words[close - 1] != "..." {
            return Ok(None);
        }
        let mut inner = Parser {
            words: self.words[start + 1..close - 1].to_vec(),
            at: 0,
        };
        let mut choices = Vec::new();
        loop {
            choices.push(inner.sequence()?.0);
            if inner.peek() != Some("|") {
                break;
            }
            inner.at += 1;
        }
        if choices.len() > 1 {
            self.at = close + 1;
            let choices: Vec<_> = choices.into_iter().map(Argument::of_sequence).collect();
            return Ok(Some(Repeats::Group(join(&choices, " | "))));
        }
        let again = choices.remove(0);
        let count = again.len();
        let same = count > 0
            && count <= before.len()
            && line(&again) == line(&before[before.len() - count..]);
        if !same {
            // It may repeat a token that is still open, with its values: the caller closes it.
            return Ok(None);
        }
        self.at = close + 1;
        Ok(Some(Repeats::Before(count)))
    }

    /// The bracket that closes the one at `start`.
    fn closing(&self, start: usize) -> Result<usize, String> {
        let mut depth = 0usize;
        for (at, word) in self.words.iter().enumerate().skip(start) {
            match *word {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(at);
            }
        }
        Err(format!("the bracket at word {start} does not close"))
    }
}

/// A word without lower-case letters stands for itself: `EX`, `*`, `~`.
fn is_token(word: &str) -> bool {
    word != "..." && !word.bytes().any(|b| b.is_ascii_lowercase())
}

/// The type that a value's name tells.
fn kind_of(name: &str) -> Kind {
    match name {
        "key" | "key1" | "key2" | "destkey" | "destination" | "source" | "newkey" | "dst"
        | "src" | "sortkey" => Kind::Key,
        "pattern" => Kind::Pattern,
        "unix-time-seconds" | "unix-time-milliseconds" => Kind::UnixTime,
        "seconds" | "milliseconds" | "count" | "offset" | "start" | "stop" | "end" | "index"
        | "numkeys" | "increment" | "decrement" | "integer" | "cursor" | "numfields" | "len"
        | "min-match-len" | "bit" | "rank" | "maxlen" | "db" | "index1" | "index2"
        | "destination-db" | "numreplicas" | "numlocal" | "client-id" | "num" | "limit"
        | "maxage" | "retrycount" | "slot" | "port" => Kind::Integer,
        "float" | "score" | "weight" | "timeout" | "longitude" | "latitude" | "radius"
        | "width" | "height" => Kind::Double,
        _ => Kind::String,
    }
}
