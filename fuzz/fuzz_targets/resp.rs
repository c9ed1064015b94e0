//! The request parser and the reply builder against any bytes.
//!
//! The first bytes say how the rest is cut and which limits hold. Three things must be so: the
//! pieces mean what the whole means, errors included; a large word received apart means the same
//! as one in the buffer, and a refused one costs its request alone; and what the builder writes
//! with words of the input is read back as exactly what was said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Batch, Limits, Parsed, Parser, Proto, ProtocolError, Reply, take_blob};
use std::sync::Arc;

type Requests = Vec<Vec<Vec<u8>>>;

/// Parses `input` in pieces; `apart` receives large words into their own allocations.
fn parse<'p>(
    pieces: impl Iterator<Item = &'p [u8]>,
    limits: &Limits,
    apart: bool,
) -> (Requests, Option<ProtocolError>) {
    let (mut parser, mut batch, mut input) = (Parser::new(), Batch::default(), Vec::new());
    let mut requests = Vec::new();
    let mut filling: Option<(Vec<u8>, usize)> = None;
    for mut piece in pieces {
        if let Some((blob, len)) = &mut filling {
            let here = piece.len().min(*len - blob.len());
            blob.extend_from_slice(&piece[..here]);
            piece = &piece[here..];
            if blob.len() < *len {
                continue;
            }
            let (blob, _) = filling.take().expect("just seen");
            parser.supply_blob(Arc::new(blob));
        }
        input.extend_from_slice(piece);
        let mut consumed = 0;
        loop {
            match parser.next(&input, &mut consumed, &mut batch, limits) {
                Err(error) => return (requests, Some(error)),
                Ok(Parsed::NeedMore) => break,
                Ok(Parsed::NeedBlob { at, len }) if apart && len < 1 << 20 => {
                    let blob = take_blob(&mut input, at, len).expect("a megabyte");
                    if blob.len() == len {
                        parser.supply_blob(Arc::new(blob));
                    } else {
                        filling = Some((blob, len));
                        break;
                    }
                }
                Ok(Parsed::NeedBlob { .. }) => break,
                Ok(Parsed::Refused) => panic!("nobody refused"),
                Ok(Parsed::Request(request)) => {
                    let args = batch.args(&input, request);
                    assert!(!args.is_empty() && args.len() == request.argc());
                    let owned = args.try_to_owned().expect("memory");
                    assert!(owned.as_args().iter().eq(args.iter()));
                    requests.push(args.iter().map(<[u8]>::to_vec).collect());
                }
            }
        }
        batch.clear();
        assert!(consumed <= input.len());
        input.drain(..consumed);
    }
    (requests, None)
}

/// Parses in pieces and refuses every large word: whatever happens, nothing of it is kept.
fn refuse<'p>(pieces: impl Iterator<Item = &'p [u8]>, limits: &Limits) {
    let (mut parser, mut batch, mut input) = (Parser::new(), Batch::default(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        let mut consumed = 0;
        loop {
            match parser.next(&input, &mut consumed, &mut batch, limits) {
                Err(_) => return,
                Ok(Parsed::NeedMore) => break,
                Ok(Parsed::NeedBlob { .. }) => parser.refuse_blob(0),
                Ok(Parsed::Refused | Parsed::Request(_)) => {}
            }
        }
        batch.clear();
        input.drain(..consumed);
    }
}

/// What a reply says, read back: one level of a small reader for both versions.
fn read_back<'b>(bytes: &mut &'b [u8]) -> (u8, &'b [u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line's end");
    let (line, rest) = (&bytes[..end], &bytes[end + 2..]);
    *bytes = rest;
    let sigil = line[0];
    let text = &line[1..];
    if !matches!(sigil, b'$' | b'=') || text == b"-1" {
        assert!(!text.contains(&b'\n') && !text.contains(&b'\r'));
        return (sigil, text);
    }
    let len = resp::number::parse_u64(text).expect("a length") as usize;
    let word = &rest[..len];
    assert_eq!(&rest[len..len + 2], b"\r\n");
    *bytes = &rest[len + 2..];
    (sigil, word)
}

fn clean(word: &[u8]) -> Vec<u8> {
    word.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b }).collect()
}

/// Says every word in every way and reads it back.
fn say(proto: Proto, words: &[Vec<u8>]) {
    let mut reply = Reply::new(proto);
    let place = reply.defer();
    for word in words {
        let mark = reply.mark();
        reply.bulk(word);
        reply.map(3);
        reply.truncate_to(mark);
        reply.simple(word);
        reply.error(word);
        reply.bulk(word);
        reply.verbatim(b"txt", word);
        reply.blob(&Arc::new(word.clone()), 0..word.len());
        reply.int(word.len() as i64 - 5);
        if let Some(value) = resp::number::parse_f64(word) {
            let mut text = Vec::new();
            resp::number::write_f64(&mut text, value);
            assert_eq!(resp::number::parse_f64(&text), Some(value));
        }
        if let Some(value) = resp::number::parse_i64(word) {
            let mut text = Vec::new();
            resp::number::write_i64(&mut text, value);
            assert_eq!(&text, word);
        }
        assert_eq!(resp::split_words(&resp::repr(word)), Ok(vec![word.clone()]));
    }
    reply.finish_array(place, words.len() * 6);
    let output = reply.take(Vec::new());
    let all = output.to_vec();
    assert_eq!(all.len(), output.len());
    let mut rest = all.as_slice();
    let count = (words.len() * 6).to_string();
    assert_eq!(read_back(&mut rest), (b'*', count.as_bytes()));
    for word in words {
        assert_eq!(read_back(&mut rest), (b'+', clean(word).as_slice()));
        assert_eq!(read_back(&mut rest), (b'-', clean(word).as_slice()));
        assert_eq!(read_back(&mut rest), (b'$', word.as_slice()));
        let (sigil, text) = read_back(&mut rest);
        match proto {
            Proto::Resp2 => assert_eq!((sigil, text), (b'$', word.as_slice())),
            Proto::Resp3 => assert_eq!((sigil, &text[4..]), (b'=', word.as_slice())),
        }
        assert_eq!(read_back(&mut rest), (b'$', word.as_slice()));
        let number = (word.len() as i64 - 5).to_string();
        assert_eq!(read_back(&mut rest), (b':', number.as_bytes()));
    }
    assert!(rest.is_empty());
}

fuzz_target!(|data: &[u8]| {
    let [size, flags, bytes @ ..] = data else { return };
    // Large words do not fit a fuzzer's input, so the input is stretched: a run of a marked byte.
    let mut input = Vec::new();
    for &byte in bytes {
        match byte {
            0xFE => input.extend_from_slice(&[b'v'; 32 * 1024]),
            0xFD => input.extend_from_slice(b"$32768\r\n"),
            byte => input.push(byte),
        }
        if input.len() > 160 << 10 {
            return;
        }
    }
    let limits = Limits {
        before_login: flags & 1 != 0,
        bulk_bytes_max: if flags & 2 != 0 { 1 << 15 } else { 512 << 20 },
        args_max: if flags & 4 != 0 { 5 } else { i32::MAX as u32 },
    };
    let size = usize::from(*size) + 1;
    let size = if flags & 8 != 0 { size * 300 } else { size };
    let whole = parse([input.as_slice()].into_iter(), &limits, false);
    assert_eq!(parse(input.chunks(size), &limits, false), whole, "pieces of {size}");
    assert_eq!(parse(input.chunks(size), &limits, true), whole, "apart, pieces of {size}");
    assert_eq!(parse([input.as_slice()].into_iter(), &limits, true), whole, "apart");
    refuse(input.chunks(size), &limits);
    let words: Vec<Vec<u8>> = whole.0.into_iter().flatten().take(50).collect();
    say(Proto::Resp2, &words);
    say(Proto::Resp3, &words);
});
