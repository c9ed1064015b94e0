//! From a run that shows a difference to the fewest cases that still do.
//!
//! Delta debugging: leave out halves, then quarters, down to single cases, as long as the servers still
//! part, in reply or digest. Bounded by time: what it has by then is what is printed.

use super::generate::Case;
use super::pair::{Difference, Pair};
use crate::Res;
use crate::wire::Reply;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(20);

/// The difference that the cases lead to on emptied servers, if they do.
pub(crate) fn play(pair: &mut Pair, protocol: &str, cases: &[Case]) -> Res<Option<Difference>> {
    pair.reset(protocol)?;
    for (part, at) in cases.chunks(200).zip(0..) {
        if let Some(mut difference) = pair.run(part, None)? {
            difference.case += at * 200;
            return Ok(Some(difference));
        }
    }
    Ok(pair.digests()?.map(|(ours, theirs)| Difference {
        case: cases.len().saturating_sub(1),
        what: super::DIGEST.into(),
        ours,
        theirs,
    }))
}

/// The fewest cases found, and what they lead to; none if the difference does not come again.
pub(crate) fn shrink(
    pair: &mut Pair,
    protocol: &str,
    cases: &[Case],
) -> Res<Option<(Vec<Case>, Difference)>> {
    let end = Instant::now() + TIME;
    let mut cases = cases.to_vec();
    let Some(mut difference) = play(pair, protocol, &cases)? else {
        return Ok(None);
    };
    cases.truncate(difference.case + 1);
    let mut step = cases.len().div_ceil(2);
    while step > 0 && Instant::now() < end {
        let mut at = 0;
        while at < cases.len() && Instant::now() < end {
            let mut fewer = cases.clone();
            fewer.drain(at..(at + step).min(cases.len()));
            match play(pair, protocol, &fewer)? {
                Some(found) => {
                    fewer.truncate(found.case + 1);
                    (cases, difference) = (fewer, found);
                }
                None => at += step,
            }
        }
        step = if step == 1 { 0 } else { step.div_ceil(2) };
    }
    Ok(Some((cases, difference)))
}

/// The cases as somebody would type them.
pub(crate) fn shown(cases: &[Case]) -> String {
    let lines = cases.iter().flat_map(|case| &case.lines);
    let lines: Vec<String> = lines
        .map(|line| {
            let words: Vec<String> = line.words.iter().map(|word| quoted(word)).collect();
            format!("    {}", words.join(" "))
        })
        .collect();
    lines.join("\n")
}

fn quoted(word: &[u8]) -> String {
    let is_simple = !word.is_empty()
        && word
            .iter()
            .all(|b| b.is_ascii_graphic() && !b"\"'\\".contains(b));
    match is_simple {
        true => String::from_utf8_lossy(word).into_owned(),
        false => format!("\"{}\"", word.escape_ascii()),
    }
}

/// A reply in a line.
pub(crate) fn told(reply: &Reply) -> String {
    let text = match reply {
        Reply::Many(mark, items) => {
            let items: Vec<String> = items.iter().map(told).collect();
            format!("{}[{}]", char::from(*mark), items.join(", "))
        }
        Reply::Error(text) => format!("-{}", text.escape_ascii()),
        Reply::Simple(text) => format!("+{}", text.escape_ascii()),
        Reply::Integer(n) => format!(":{}", n.escape_ascii()),
        Reply::Bulk(text) => format!("\"{}\"", text.escape_ascii()),
        Reply::Double(text) => format!(",{}", text.escape_ascii()),
        other => format!("{other:?}"),
    };
    match text.char_indices().nth(600) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}
