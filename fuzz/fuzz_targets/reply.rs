//! The client's reply decoder against any bytes.
//!
//! The first byte says how the rest is cut. Pieces mean what the whole means, errors included; an
//! aggregate's size follows from the bytes that have come and not from what they announce; depth is
//! bounded. What the server's builder writes with words of the input is read back as what was said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::client::{DEPTH_MAX, Decoder, ReplyError, Value, request};
use resp::{Proto, Reply};

fn decode<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> (Vec<Value>, Option<ReplyError>) {
    let (mut decoder, mut input, mut values) = (Decoder::new(), Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        let mut consumed = 0;
        loop {
            match decoder.next(&input, &mut consumed) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
        assert!(consumed <= input.len());
        input.drain(..consumed);
    }
    (values, None)
}

/// How many values there are, and how deep they stand; what was reserved is near to what is there.
fn measure(value: &Value) -> (usize, usize) {
    let inside = |list: &mut dyn Iterator<Item = &Value>| {
        list.map(measure).fold((1, 1), |(count, depth), (n, d)| (count + n, depth.max(d + 1)))
    };
    match value {
        Value::Array(list) | Value::Set(list) | Value::Push(list) => {
            assert!(list.capacity() <= 64 + 2 * list.len());
            inside(&mut list.iter())
        }
        Value::Map(list) => inside(&mut list.iter().flat_map(|(key, value)| [key, value])),
        _ => (1, 0),
    }
}

/// Says words of the input as the server does.
fn say(proto: Proto, words: &[&[u8]]) {
    let mut reply = Reply::new(proto);
    reply.array(words.len());
    for word in words {
        reply.map(1);
        reply.bulk(word);
        reply.verbatim(b"txt", word);
    }
    let bytes = reply.take(Vec::new()).to_vec();
    let (values, error) = decode([bytes.as_slice()].into_iter());
    assert!(error.is_none() && values.len() == 1);
    for (pair, word) in values[0].elements().expect("an array").iter().zip(words) {
        for (key, value) in pair.pairs().expect("a map, or what stands for one") {
            assert_eq!((key.text(), value.text()), (Some(*word), Some(*word)));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [size, bytes @ ..] = data else { return };
    let whole = decode([bytes].into_iter());
    assert_eq!(decode(bytes.chunks(usize::from(*size) + 1)), whole);
    for value in &whole.0 {
        let (count, depth) = measure(value);
        assert!(count <= bytes.len() && depth <= DEPTH_MAX);
    }
    let words: Vec<&[u8]> = bytes.split(|byte| *byte == b' ').take(20).collect();
    say(Proto::Resp2, &words);
    say(Proto::Resp3, &words);
    let mut sent = Vec::new();
    request(&mut sent, &words);
    let (values, error) = decode([sent.as_slice()].into_iter());
    assert!(error.is_none() && values[0].elements().expect("an array").len() == words.len());
});
