//! The parser, fed whole and in pieces.

use super::*;

/// What a peer that sends `pieces` is understood to say, and how it ends.
fn parse_pieces<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    limits: &Limits,
    apart: bool,
) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let (mut parser, mut batch) = (Parser::new(), Batch::default());
    let (mut input, mut requests) = (Vec::new(), Vec::new());
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
                Ok(Parsed::NeedBlob { at, len }) if apart => {
                    let blob = take_blob(&mut input, at, len).expect("memory");
                    if blob.len() == len {
                        parser.supply_blob(Arc::new(blob));
                    } else {
                        filling = Some((blob, len));
                        break;
                    }
                }
                Ok(Parsed::NeedBlob { .. }) => break,
                Ok(Parsed::Refused) => requests.push(vec![b"(refused)".to_vec()]),
                Ok(Parsed::Request(request)) => {
                    let args = batch.args(&input, request);
                    requests.push(args.iter().map(<[u8]>::to_vec).collect());
                }
            }
        }
        batch.clear();
        input.drain(..consumed);
    }
    (requests, None)
}

fn words(text: &[&str]) -> Vec<Vec<Vec<u8>>> {
    text.iter()
        .map(|r| r.split('|').map(|w| w.as_bytes().to_vec()).collect())
        .collect()
}

/// Whole and byte by byte, the input means the same.
fn check_with(limits: Limits, input: &[u8], requests: &[&str], error: Option<ProtocolError>) {
    let expected = (words(requests), error);
    assert_eq!(parse_pieces([input], &limits, true), expected, "whole");
    assert_eq!(
        parse_pieces(input.chunks(1), &limits, true),
        expected,
        "byte by byte"
    );
    assert_eq!(
        parse_pieces(input.chunks(7), &limits, false),
        expected,
        "in sevens"
    );
}

fn check(input: &str, requests: &[&str], error: Option<ProtocolError>) {
    check_with(Limits::default(), input.as_bytes(), requests, error);
}

#[test]
fn requests_of_both_kinds() {
    check("", &[], None);
    check("*1\r\n$4\r\nPING\r\n", &["PING"], None);
    check(
        "PING\r\nPING\n\r\n\n*0\r\n*-1\r\n*-5\r\nPING x\r\n",
        &["PING", "PING", "PING|x"],
        None,
    );
    check(
        "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n",
        &["SET||a\r\nbc"],
        None,
    );
    check("set \"a b\" 'c'  d\r\n", &["set|a b|c|d"], None);
    check("  PING  \r\n", &["PING"], None);
    check("*2\r\n$1\r\na", &[], None);
}

#[test]
fn endings_are_skipped_unread_as_redis_does() {
    check("*1\rX$4\rYPINGZZ*1\r\n$1\r\na\r\n", &["PING", "a"], None);
}

#[test]
fn lengths_at_the_edge_of_the_short_way() {
    for len in [0, 1, 9, 10, 99, 100, 999, 1000] {
        let word = "x".repeat(len);
        let input = format!("*2\r\n$3\r\nget\r\n${len}\r\n{word}\r\n*1\r\n$1\r\na\r\n");
        check(&input, &[&format!("get|{word}"), "a"], None);
    }
    let low = Limits {
        bulk_bytes_max: 5,
        ..Limits::default()
    };
    let error = Some(ProtocolError::InvalidLength);
    check_with(low, b"*1\r\n$5\r\nabcde\r\n*1\r\n$6\r\n", &["abcde"], error);
    check(
        "*2\r\n$1\r\na\r\n$01\r\n",
        &[],
        Some(ProtocolError::InvalidLength),
    );
    check(
        "*2\r\n$1\r\na\r\n#1\r\n",
        &[],
        Some(ProtocolError::ExpectedDollar(b'#')),
    );
}

#[test]
fn long_counts_and_lengths() {
    let word = "x".repeat(12345);
    check(&format!("*1\r\n$12345\r\n{word}\r\n"), &[&word], None);
    let many: String = (0..12345).map(|_| "$1\r\na\r\n").collect();
    let expected = vec!["a"; 12345].join("|");
    check(&format!("*12345\r\n{many}"), &[&expected], None);
}

#[test]
fn errors() {
    use ProtocolError::*;
    check("*a\r\n", &[], Some(InvalidCount));
    check("*\r\n", &[], Some(InvalidCount));
    check("*01\r\n", &[], Some(InvalidCount));
    check("*+1\r\n", &[], Some(InvalidCount));
    check("*3000000000\r\n", &[], Some(InvalidCount));
    check("*99999999999999999999\r\n", &[], Some(InvalidCount));
    check("PING\n*1\r\n:4\r\n", &["PING"], Some(ExpectedDollar(b':')));
    // Found by fuzz/resp: a word's line that begins with its end.
    check("*1\r\n\r\n", &[], Some(ExpectedDollar(b'\r')));
    check("*1\r\n$-1\r\n", &[], Some(InvalidLength));
    check("*1\r\n$x\r\n", &[], Some(InvalidLength));
    check("*1\r\n$2000000000\r\n", &[], Some(InvalidLength));
    check("GET \"a\r\n", &[], Some(UnbalancedQuotes));
    let text = |error: ProtocolError| String::from_utf8(error.text()).expect("ascii");
    assert_eq!(
        text(ExpectedDollar(b'x')),
        "Protocol error: expected '$', got 'x'"
    );
    assert_eq!(
        text(TooBigLength),
        "Protocol error: too big bulk count string"
    );
}

#[test]
fn lines_end_within_64_kib() {
    use ProtocolError::*;
    let fits = format!("{}\n", "a".repeat(LINE_MAX));
    check(&fits, &[&"a".repeat(LINE_MAX)], None);
    check(&"a".repeat(LINE_MAX), &[], None);
    check(
        &format!("{}\n", "a".repeat(LINE_MAX + 1)),
        &[],
        Some(TooBigInline),
    );
    check(
        &format!("*{}", "1".repeat(LINE_MAX)),
        &[],
        Some(TooBigCount),
    );
    check(
        &format!("*1\r\n${}", "1".repeat(LINE_MAX)),
        &[],
        Some(TooBigLength),
    );
}

#[test]
fn before_login_little_is_allowed() {
    use ProtocolError::*;
    let limits = Limits {
        before_login: true,
        ..Limits::default()
    };
    check_with(limits, b"*11\r\n", &[], Some(UnauthenticatedCount));
    check_with(
        limits,
        b"*1\r\n$16385\r\n",
        &[],
        Some(UnauthenticatedLength),
    );
    check_with(
        limits,
        b"*1\r\n$4\r\nPING\r\n*10\r\n$16384\r\n",
        &["PING"],
        None,
    );
}

#[test]
fn large_words_come_apart() {
    let big = "v".repeat(BLOB_MIN);
    let input = format!(
        "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n${0}\r\n{big}\r\n$2\r\nNX\r\n*2\r\n${0}\r\n{big}\r\n${0}\r\n{big}\r\nPING\r\n",
        BLOB_MIN
    );
    let expected = [&*format!("SET|k|{big}|NX"), &format!("{big}|{big}"), "PING"];
    for size in [1, 10, 1000, BLOB_MIN, BLOB_MIN + 1, BLOB_MIN + 30, 1 << 20] {
        for apart in [true, false] {
            let got = parse_pieces(input.as_bytes().chunks(size), &Limits::default(), apart);
            assert_eq!(got, (words(&expected), None), "pieces of {size}");
        }
    }
}

#[test]
fn a_refused_word_is_eaten_with_its_request() {
    let big = "v".repeat(BLOB_MIN);
    let text = format!(
        "*3\r\n$1\r\na\r\n${0}\r\n{big}\r\n${0}\r\n{big}\r\nPING\r\n",
        BLOB_MIN
    );
    for size in [1, 100, BLOB_MIN] {
        let (mut parser, mut batch) = (Parser::new(), Batch::default());
        let (mut input, mut seen, mut most) = (Vec::new(), Vec::new(), 0);
        for piece in text.as_bytes().chunks(size) {
            input.extend_from_slice(piece);
            let mut consumed = 0;
            loop {
                let got = parser.next(&input, &mut consumed, &mut batch, &Limits::default());
                match got.expect("no protocol error") {
                    Parsed::NeedMore => break,
                    Parsed::NeedBlob { .. } => parser.refuse_blob(0),
                    Parsed::Refused => seen.push("refused".to_string()),
                    Parsed::Request(r) => {
                        let word = batch.args(&input, r).get(0).to_vec();
                        seen.push(String::from_utf8(word).expect("ascii"));
                    }
                }
            }
            input.drain(..consumed);
            most = most.max(input.len());
        }
        assert_eq!(seen, ["refused", "PING"], "pieces of {size}");
        assert!(most < 32, "a refused word is not kept: {most}");
    }
}

#[test]
fn half_a_request_costs_no_rescanning() {
    // A million words byte by byte: quadratic work would take hours.
    let mut text = b"*1000000\r\n".to_vec();
    (0..1_000_000).for_each(|_| text.extend_from_slice(b"$1\r\na\r\n"));
    let (mut parser, mut batch) = (Parser::new(), Batch::default());
    let mut consumed = 0;
    for end in 1..text.len() {
        let got = parser.next(&text[..end], &mut consumed, &mut batch, &Limits::default());
        assert_eq!(got, Ok(Parsed::NeedMore));
    }
    let got = parser.next(&text, &mut consumed, &mut batch, &Limits::default());
    let Ok(Parsed::Request(request)) = got else {
        panic!("{got:?}")
    };
    assert_eq!((request.argc(), consumed), (1_000_000, text.len()));
}
