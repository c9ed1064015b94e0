//! Parameters with a form of their own: `save`, `bind`, output limits and their like.
//!
//! Each parser turns words into a canonical [`Value`] or into the reason, in Redis's words.

use super::value::{Special, Value, WRONG_COUNT, Word, bytes_of, canonical, one, prefixed_number};

/// Addresses that `bind` takes.
const BIND_MAX: usize = 16;

impl Special {
    pub(super) fn parse(self, words: &[Word], before: Option<&Value>) -> Result<Value, String> {
        // A single empty word stands for none.
        let some = if let [word] = words
            && word.is_empty()
        {
            &[]
        } else {
            words
        };
        match self {
            Special::Bind if some.len() > BIND_MAX => {
                Err("Too many bind addresses specified.".into())
            }
            Special::Bind => Ok(Value::Words(some.to_vec())),
            Special::Save => save(some).map(Value::Words),
            Special::OutputLimits => output_limits(words, before).map(Value::Limits),
            Special::OomValues => {
                if words.len() != 3 {
                    return Err(WRONG_COUNT.into());
                }
                let fits =
                    |w: &Word| prefixed_number(w).is_some_and(|n| (-2000..=2000).contains(&n));
                if !words.iter().all(fits) {
                    return Err(
                        "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
                            .into(),
                    );
                }
                Ok(Value::Words(words.iter().map(|w| canonical(w)).collect()))
            }
            Special::Events => events(one(words)?).map(|text| Value::Text(text.into())),
            Special::Percentiles => percentiles(some).map(Value::Words),
            Special::Dir => Ok(Value::Text(one(words)?.clone())),
            Special::ReplicaOf => replica_of(some).map(Value::Words),
        }
    }
}

fn save(words: &[Word]) -> Result<Vec<Word>, String> {
    let fits = |(at, word): (usize, &Word)| {
        prefixed_number(word).is_some_and(|n| {
            if at % 2 == 0 {
                n >= 1
            } else {
                n >= 0 && n <= i32::MAX.into()
            }
        })
    };
    if !words.len().is_multiple_of(2) || !words.iter().enumerate().all(fits) {
        return Err("Invalid save parameters".into());
    }
    Ok(words.iter().map(|w| canonical(w)).collect())
}

fn output_limits(words: &[Word], before: Option<&Value>) -> Result<[[u64; 3]; 3], String> {
    let mut limits = match before {
        Some(Value::Limits(limits)) => *limits,
        _ => [[0; 3]; 3],
    };
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for group in words.chunks(4) {
        let class = match &*group[0].to_ascii_lowercase() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            }
        };
        let size = |word| bytes_of(word).and_then(|n| u64::try_from(n).ok());
        let seconds = prefixed_number(&group[3])
            .and_then(|n| i32::try_from(n).ok())
            .and_then(|n| u64::try_from(n).ok());
        let (Some(hard), Some(soft), Some(seconds)) = (size(&group[1]), size(&group[2]), seconds)
        else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.".into(),
            );
        };
        limits[class] = [hard, soft, seconds];
    }
    Ok(limits)
}

/// The letters of the classes that `A` stands for, in the order in which they are shown.
const ALL_EVENTS: &[u8] = b"g$lshzxetd";

/// Letters of event classes in canonical order.
fn events(word: &[u8]) -> Result<Vec<u8>, String> {
    if let Some(_stranger) = word.iter().find(|b| !b"Ag$lshzxeKEtmdn".contains(b)) {
        return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
    }
    let has = |letter: &u8| word.contains(letter);
    let mut text = Vec::new();
    if has(&b'A') || ALL_EVENTS.iter().all(has) {
        text.push(b'A');
    } else {
        text.extend(ALL_EVENTS.iter().filter(|b| has(b)));
    }
    text.extend(b"nKEm".iter().filter(|b| has(b)));
    Ok(text)
}

fn percentiles(words: &[Word]) -> Result<Vec<Word>, String> {
    words
        .iter()
        .map(|word| {
            let n = std::str::from_utf8(word)
                .ok()
                .and_then(|text| text.parse::<f64>().ok());
            let n = n
                .filter(|n| !n.is_nan())
                .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if !(0.0..=100.0).contains(&n) {
                return Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .into(),
                );
            }
            // + 0.0 turns -0 into 0.
            Ok((n + 0.0).to_string().into_bytes().into())
        })
        .collect()
}

fn replica_of(words: &[Word]) -> Result<Vec<Word>, String> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let [host, port] = words else {
        return Err(WRONG_COUNT.into());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    match prefixed_number(port) {
        Some(0..=65535) => Ok(vec![host.clone(), canonical(port)]),
        _ => Err("Invalid master port".into()),
    }
}
