//! What a transcript expects of a reply, and how a reply is written down.
//!
//! `render` writes a reply in the very notation that `parse` reads, so what a
//! failure prints can be put into the file. Texts may hold `*any*` (any bytes)
//! and `*any:NAME*` (the same, kept for `$NAME` in later requests).

use super::parse::{quoted, repeated};
use crate::wire::Reply;
use std::collections::HashMap;
use std::iter::Peekable;

/// What `*any:NAME*` matched.
pub(crate) type Variables = HashMap<String, Vec<u8>>;

/// One expected reply.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// `*any*` alone: one reply of whatever kind.
    Any,
    /// `+text`, `-text`, `:1`, `"bulk"`, `,1.5`, `(123`, `=txt:…` by their mark.
    Text(u8, Vec<Piece>),
    /// `:10..20`
    Range(i64, i64),
    /// A reply without a text: nulls and booleans.
    Exact(Reply),
    /// `*N`, `~N`, `>N`, `%N`, `|N` with their parts; `any order` after N forgets the order.
    Many {
        mark: u8,
        parts: Vec<Pattern>,
        ordered: bool,
    },
    /// `(closed)`: the server closes the connection.
    Closed,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Any(Option<String>),
}

/// Reads one reply from `<` lines (what follows the `<`) with all its parts.
pub(crate) fn parse<'a, I>(lines: &mut Peekable<I>) -> Result<Pattern, String>
where
    I: Iterator<Item = (usize, &'a str)>,
{
    let (number, line) = lines
        .next()
        .ok_or("a part of a reply is missing at the end")?;
    let at = |e: String| format!("line {number}: {e}");
    let text = line.trim_start();
    let mark = *text
        .as_bytes()
        .first()
        .ok_or_else(|| at("an empty reply".into()))?;
    Ok(match (mark, text) {
        (_, "*any*") => Pattern::Any,
        (_, "(closed)") => Pattern::Closed,
        (_, "(nil)") => Pattern::Exact(Reply::NullBulk),
        (_, "(nil-array)") => Pattern::Exact(Reply::NullArray),
        (_, "_") => Pattern::Exact(Reply::Null),
        (_, "#t") => Pattern::Exact(Reply::Bool(true)),
        (_, "#f") => Pattern::Exact(Reply::Bool(false)),
        (b'*' | b'~' | b'>' | b'%' | b'|', _) => {
            let (count, order) = text[1..].split_once(' ').unwrap_or((&text[1..], ""));
            let ordered = match order.trim() {
                "" => true,
                "any order" => false,
                other => return Err(at(format!("'any order' may follow a count, not '{other}'"))),
            };
            let count: usize = count
                .parse()
                .map_err(|_| at(format!("no count in {text:?}")))?;
            let count = if matches!(mark, b'%' | b'|') {
                count * 2
            } else {
                count
            };
            let parts = (0..count)
                .map(|_| parse(lines))
                .collect::<Result<Vec<_>, _>>()?;
            Pattern::Many {
                mark,
                parts,
                ordered,
            }
        }
        (b'"', _) => {
            let (bytes, rest) = quoted(text).map_err(at)?;
            let (bytes, rest) = repeated(bytes, rest).map_err(at)?;
            if !rest.trim().is_empty() {
                return Err(at(format!("{rest:?} after a string")));
            }
            Pattern::Text(b'"', pieces(&bytes))
        }
        (b'=', _) if text[1..].starts_with('"') => {
            let (bytes, _) = quoted(&text[1..]).map_err(at)?;
            Pattern::Text(b'=', pieces(&bytes))
        }
        (b':', _) if text.contains("..") => {
            let (low, high) = text[1..].split_once("..").expect("it contains ..");
            let bound = |t: &str| t.parse().map_err(|_| at(format!("no range: {text}")));
            Pattern::Range(bound(low)?, bound(high)?)
        }
        (b'+' | b'-' | b':' | b',' | b'(' | b'=', _) => {
            Pattern::Text(mark, pieces(&text.as_bytes()[1..]))
        }
        _ => return Err(at(format!("no reply is written like {text:?}"))),
    })
}

/// Takes `*any*` and `*any:name*` out of a text.
fn pieces(text: &[u8]) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut plain = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let wild = rest.strip_prefix(b"*any").and_then(|tail| {
            let end = tail.iter().position(|&b| b == b'*')?;
            match &tail[..end] {
                b"" => Some((None, &tail[end + 1..])),
                [b':', name @ ..] => Some((
                    Some(String::from_utf8_lossy(name).into_owned()),
                    &tail[end + 1..],
                )),
                _ => None,
            }
        });
        match wild {
            Some((name, tail)) => {
                found.push(Piece::Bytes(std::mem::take(&mut plain)));
                found.push(Piece::Any(name));
                rest = tail;
            }
            None => {
                plain.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    found.push(Piece::Bytes(plain));
    found.retain(|piece| !matches!(piece, Piece::Bytes(bytes) if bytes.is_empty()));
    found
}

/// Does the reply fit? Fills `variables` on the way.
pub(crate) fn matches(pattern: &Pattern, reply: &Reply, variables: &mut Variables) -> bool {
    match (pattern, reply) {
        (Pattern::Any, _) => true,
        (Pattern::Exact(wanted), got) => wanted == got,
        (Pattern::Text(b'+', p), Reply::Simple(t))
        | (Pattern::Text(b'-', p), Reply::Error(t))
        | (Pattern::Text(b':', p), Reply::Integer(t))
        | (Pattern::Text(b'"', p), Reply::Bulk(t))
        | (Pattern::Text(b',', p), Reply::Double(t))
        | (Pattern::Text(b'(', p), Reply::Big(t))
        | (Pattern::Text(b'=', p), Reply::Verbatim(t)) => text_matches(p, t, variables),
        (Pattern::Range(low, high), Reply::Integer(t)) => std::str::from_utf8(t)
            .ok()
            .and_then(|t| t.parse::<i64>().ok())
            .is_some_and(|n| (*low..=*high).contains(&n)),
        (
            Pattern::Many {
                mark,
                parts,
                ordered,
            },
            Reply::Many(got_mark, got),
        ) => {
            if mark != got_mark || parts.len() != got.len() {
                return false;
            }
            if *ordered {
                return parts.iter().zip(got).all(|(p, g)| matches(p, g, variables));
            }
            // Of a map the pairs move, each key beside its value.
            let size = if matches!(mark, b'%' | b'|') { 2 } else { 1 };
            let mut left: Vec<&[Reply]> = got.chunks(size).collect();
            parts.chunks(size).all(|wanted| {
                let fits = |g: &&[Reply], v: &mut Variables| {
                    wanted.iter().zip(*g).all(|(p, g)| matches(p, g, v))
                };
                let place = left.iter().position(|g| fits(g, variables));
                place.map(|index| left.swap_remove(index)).is_some()
            })
        }
        _ => false,
    }
}

fn text_matches(pieces: &[Piece], text: &[u8], variables: &mut Variables) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Bytes(bytes), rest @ ..] => text
            .strip_prefix(&bytes[..])
            .is_some_and(|tail| text_matches(rest, tail, variables)),
        [Piece::Any(name), rest @ ..] => {
            let length = (0..=text.len())
                .rev()
                .find(|&n| text_matches(rest, &text[n..], variables));
            if let (Some(length), Some(name)) = (length, name) {
                variables.insert(name.clone(), text[..length].to_vec());
            }
            length.is_some()
        }
    }
}

/// Writes a reply as `<` lines.
pub(crate) fn render(reply: &Reply) -> String {
    let mut out = String::new();
    render_at(&mut out, reply, 0);
    out
}

fn render_at(out: &mut String, reply: &Reply, depth: usize) {
    let plain = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let text = match reply {
        Reply::Simple(b) => format!("+{}", plain(b)),
        Reply::Error(b) => format!("-{}", plain(b)),
        Reply::Integer(b) => format!(":{}", plain(b)),
        Reply::Double(b) => format!(",{}", plain(b)),
        Reply::Big(b) => format!("({}", plain(b)),
        Reply::Bulk(b) => escape(b),
        Reply::Verbatim(b) => format!("={}", escape(b)),
        Reply::NullBulk => "(nil)".into(),
        Reply::NullArray => "(nil-array)".into(),
        Reply::Null => "_".into(),
        Reply::Bool(yes) => if *yes { "#t" } else { "#f" }.into(),
        Reply::Many(mark, parts) => {
            let count = if matches!(mark, b'%' | b'|') {
                parts.len() / 2
            } else {
                parts.len()
            };
            format!("{}{count}", char::from(*mark))
        }
    };
    out.push_str(&format!("< {:indent$}{text}\n", "", indent = depth * 2));
    if let Reply::Many(_, parts) = reply {
        for part in parts {
            render_at(out, part, depth + 1);
        }
    }
}

/// A string as redis-cli shows it.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            7 => out.push_str("\\a"),
            8 => out.push_str("\\b"),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Pattern {
        let mut lines = text
            .lines()
            .map(|l| (1, l.trim_start_matches('<')))
            .peekable();
        let pattern = parse(&mut lines).expect("the test's text is well formed");
        assert!(lines.next().is_none(), "{text} is one reply");
        pattern
    }

    fn check(pattern: &str, reply: &Reply, expected: bool) {
        assert_eq!(
            matches(&parsed(pattern), reply, &mut Variables::new()),
            expected,
            "{pattern}"
        );
    }

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn what_is_rendered_matches_itself() {
        let replies = [
            Reply::Simple(b"OK".to_vec()),
            Reply::Error(b"ERR no".to_vec()),
            Reply::Integer(b"-12".to_vec()),
            Reply::Double(b"1.5".to_vec()),
            Reply::Big(b"123".to_vec()),
            Reply::Verbatim(b"txt:a\nb".to_vec()),
            Reply::Bulk((0..=255).collect()),
            Reply::NullBulk,
            Reply::NullArray,
            Reply::Null,
            Reply::Bool(true),
            Reply::Many(b'*', vec![]),
        ];
        let all = Reply::Many(b'%', replies.to_vec());
        check(&render(&all), &all, true);
        for (index, reply) in replies.iter().enumerate() {
            for (other, pattern) in replies.iter().enumerate() {
                check(&render(pattern), reply, index == other);
            }
        }
    }

    #[test]
    fn wildcards_and_ranges() {
        check("\"*any*b*any*\"", &bulk("aabcc"), true);
        check("\"*any*x*any*\"", &bulk("aabcc"), false);
        check("\"ab\"*3", &bulk("ababab"), true);
        check(":90..100", &Reply::Integer(b"99".to_vec()), true);
        check(":90..100", &Reply::Integer(b"101".to_vec()), false);
        check("*any*", &Reply::Null, true);
        let mut variables = Variables::new();
        let reply = bulk("id=17 addr=x");
        assert!(matches(
            &parsed("\"id=*any:id* addr=*any*\""),
            &reply,
            &mut variables
        ));
        assert_eq!(variables["id"], b"17");
    }

    #[test]
    fn order_counts_unless_said() {
        let reply = Reply::Many(b'*', vec![bulk("b"), bulk("a")]);
        check("*2\n  \"a\"\n  \"b\"", &reply, false);
        check("*2 any order\n  \"a\"\n  \"b\"", &reply, true);
        check("*2 any order\n  \"a\"\n  \"a\"", &reply, false);
    }
}
