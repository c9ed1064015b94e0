//! Two replies to one request: are they the same, as strictly as the rules want it?

use super::grammar::list;
use super::rules::How;
use crate::wire::Reply;

/// Whether the replies agree.
pub(crate) fn same(ours: &Reply, theirs: &Reply, how: &How) -> bool {
    if ours == theirs {
        return true;
    }
    let (we_refuse, they_refuse) = (is_error(ours), is_error(theirs));
    if (how.stricter && we_refuse) || (how.looser && they_refuse) {
        return true;
    }
    if let (Reply::Error(a), Reply::Error(b)) = (ours, theirs) {
        // A NUL among the words that an error repeats ends it there, where C prints it.
        let is_cut = a.contains(&0);
        return how.errors || ((how.code || is_cut) && first_word(a) == first_word(b));
    }
    let same_kind = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
    if !same_kind {
        return how.near > 0 && near(ours, theirs, how.near);
    }
    if how.kind {
        return true;
    }
    if how.length {
        return list(ours).len() == list(theirs).len();
    }
    if how.scan {
        return match (list(ours), list(theirs)) {
            ([a, x], [b, y]) if a.text() == "0" && b.text() == "0" => {
                let spelt = |reply| if how.float { spelt(reply) } else { reply };
                sorted(&spelt(x.clone())) == sorted(&spelt(y.clone()))
            }
            ([_, _], [_, _]) => true,
            _ => false,
        };
    }
    if how.near > 0 && near(ours, theirs, how.near) {
        return true;
    }
    if how.float && same_doubles(ours, theirs) {
        return true;
    }
    how.unordered && sorted(ours) == sorted(theirs)
}

pub(crate) fn is_error(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(_))
}

fn first_word(text: &[u8]) -> &[u8] {
    text.split(|b| *b == b' ').next().unwrap_or_default()
}

/// The same but for numbers, which may be a little apart.
fn near(ours: &Reply, theirs: &Reply, distance: u64) -> bool {
    match (ours, theirs) {
        (Reply::Many(m, a), Reply::Many(n, b)) => {
            m == n && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, distance))
        }
        _ if ours == theirs => true,
        _ => match (ours.text().parse::<i64>(), theirs.text().parse::<i64>()) {
            // Negative numbers are answers of another kind: no key, no TTL.
            (Ok(a @ 0..), Ok(b @ 0..)) => a.abs_diff(b) <= distance,
            _ => false,
        },
    }
}

/// The same but for how a double is spelt.
fn same_doubles(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Many(m, a), Reply::Many(n, b)) => {
            m == n && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_doubles(a, b))
        }
        (Reply::Bulk(_), Reply::Bulk(_)) | (Reply::Double(_), Reply::Double(_)) => {
            let number = |reply: &Reply| reply.text().parse::<f64>();
            // 17 decimals are fewer digits than a small number has.
            let is_near = |a: f64, b: f64| a == b || (a - b).abs() < 1e-16;
            ours == theirs
                || matches!((number(ours), number(theirs)), (Ok(a), Ok(b)) if is_near(a, b))
        }
        _ => ours == theirs,
    }
}

/// The reply with every long number in one spelling.
fn spelt(reply: Reply) -> Reply {
    match reply {
        Reply::Many(mark, items) => Reply::Many(mark, items.into_iter().map(spelt).collect()),
        Reply::Bulk(text) if text.len() > 15 => match String::from_utf8_lossy(&text).parse::<f64>()
        {
            Ok(number) => Reply::Bulk(format!("{number:e}").into_bytes()),
            Err(_) => Reply::Bulk(text),
        },
        other => other,
    }
}

/// The reply with every list in a fixed order.
fn sorted(reply: &Reply) -> Reply {
    match reply {
        Reply::Many(mark, items) => {
            let mut items: Vec<Reply> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(|item| format!("{item:?}"));
            Reply::Many(*mark, items)
        }
        other => other.clone(),
    }
}

/// Whether a reply says something: no error, not null, not empty, not 0, no list of such.
pub(crate) fn is_full(reply: &Reply) -> bool {
    match reply {
        Reply::Error(_) | Reply::NullBulk | Reply::NullArray | Reply::Null => false,
        Reply::Integer(n) => n != b"0",
        Reply::Bulk(b) | Reply::Verbatim(b) => !b.is_empty(),
        Reply::Bool(b) => *b,
        Reply::Many(_, items) => items.iter().any(is_full),
        Reply::Simple(_) | Reply::Double(_) | Reply::Big(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(numbers: &[&str]) -> Reply {
        let items = numbers
            .iter()
            .map(|n| Reply::Integer(n.as_bytes().to_vec()));
        Reply::Many(b'*', items.collect())
    }

    #[test]
    fn as_strictly_as_wanted() {
        let exact = How::default();
        let unordered = How {
            unordered: true,
            ..How::default()
        };
        let length = How {
            length: true,
            ..How::default()
        };
        let close = How {
            near: 2,
            ..How::default()
        };
        let check = |a: &Reply, b: &Reply, how: &How, expected: bool| {
            assert_eq!(same(a, b, how), expected, "{a:?} {b:?} {how:?}");
        };
        let (a, b) = (ints(&["1", "2"]), ints(&["2", "1"]));
        check(&a, &a.clone(), &exact, true);
        check(&a, &b, &exact, false);
        check(&a, &b, &unordered, true);
        check(&a, &b, &length, true);
        check(&a, &ints(&["1"]), &length, false);
        check(&a, &b, &close, true);
        check(&ints(&["-1"]), &ints(&["1"]), &close, false);
        check(&ints(&["1"]), &ints(&["4"]), &close, false);
        check(&a, &Reply::NullBulk, &length, false);
    }
}
