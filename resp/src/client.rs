//! The other side of the wire: requests to bytes, replies of both versions to values.
//!
//! ```text
//!   request(["GET", "k"])  ──▶  *2 $3 GET $1 k
//!   input ──Decoder──▶ Value       + - : $ * _ , # ( ! = % ~ >     | is read and dropped
//!
//!   *2            stack: [Array, 2 wanted, []]
//!     :1          stack: [Array, 2 wanted, [1]]
//!     %1          stack: [Array, 2 wanted, [1]] [Map, 2 wanted, []]
//!       +a +b     the map is full: it goes into the array, the array is full: a reply
//! ```
//!
//! The decoder keeps what is complete of an unfinished reply and never reads it again, so a reply
//! that trickles in costs what it costs at once.
//!
//! I1  Nothing is reserved because the peer announced it: a bulk waits in the caller's input until
//!     it has arrived, an aggregate grows as its elements do.
//! I2  Depth is at most `DEPTH_MAX`, so a caller may walk a value by recursion.
//! I3  Bytes in pieces mean what they mean at once.
//! I4  An error is final: the stream has lost its place.
//!
//! Checked by: tests below; `fuzz/reply`.

use crate::number;

/// Aggregates inside of each other. Redis's own client stops at nine, scripts reply no deeper.
pub const DEPTH_MAX: usize = 128;

/// A bulk or a line; what servers send is bounded by their `proto-max-bulk-len`.
pub const BULK_BYTES_MAX: u64 = 1 << 40;

/// Elements of an aggregate.
pub const ELEMENTS_MAX: u64 = u32::MAX as u64;

/// Elements for which room is made before they have come.
const ELEMENTS_AHEAD: usize = 64;

/// A reply. Numbers that a client only shows stay as the server spelled them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `+`: one line.
    Simple(Vec<u8>),
    /// `-` or `!`.
    Error(Vec<u8>),
    /// `:`
    Int(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `_`, and RESP2's `$-1` and `*-1`.
    Null,
    /// `,`
    Double(Vec<u8>),
    /// `#`
    Bool(bool),
    /// `(`
    Big(Vec<u8>),
    /// `=`, without its three letters.
    Verbatim(Vec<u8>),
    /// `*`
    Array(Vec<Value>),
    /// `~`
    Set(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `%`
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The bytes of a string of whatever form, errors included.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text)
            | Value::Error(text)
            | Value::Bulk(text)
            | Value::Double(text)
            | Value::Big(text)
            | Value::Verbatim(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array, a set or a push.
    #[must_use]
    pub fn elements(&self) -> Option<&[Value]> {
        match self {
            Value::Array(list) | Value::Set(list) | Value::Push(list) => Some(list),
            _ => None,
        }
    }

    /// The pairs of a map, or of the flat array that stands for it in RESP2.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(&Value, &Value)>> {
        match self {
            Value::Map(pairs) => Some(pairs.iter().map(|(key, value)| (key, value)).collect()),
            Value::Array(list) => Some(
                list.chunks_exact(2)
                    .map(|pair| (&pair[0], &pair[1]))
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// What is wrong with the bytes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// No reply begins with this byte.
    Type(u8),
    /// A number, length or truth value is not one.
    Value,
    /// A length or a count is beyond what a reply may have.
    Size,
    /// Aggregates inside of each other beyond `DEPTH_MAX`.
    Depth,
    /// The bytes behind a bulk are no line's end.
    End,
}

impl std::fmt::Display for ReplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Protocol error, ")?;
        match self {
            ReplyError::Type(byte) => {
                write!(f, "got \"{}\" as reply type byte", byte.escape_ascii())
            }
            ReplyError::Value => f.write_str("bad value in a reply"),
            ReplyError::Size => f.write_str("a reply's length is out of range"),
            ReplyError::Depth => f.write_str("replies are nested too deeply"),
            ReplyError::End => f.write_str("a string does not end where it should"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// Appends a request: an array of bulk strings.
pub fn request<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[W]) {
    let mut count = |mark: u8, n: usize| {
        out.push(mark);
        number::write_u64(out, n as u64);
        out.extend_from_slice(b"\r\n");
    };
    count(b'*', words.len());
    for word in words {
        let word = word.as_ref();
        out.push(b'$');
        number::write_u64(out, word.len() as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Array,
    Set,
    Push,
    Map,
    /// `|`: what stands in front of a reply and is not it.
    Attribute,
}

/// An aggregate that is not complete yet.
struct Frame {
    shape: Shape,
    /// Values that are still to come; a pair counts twice.
    missing: u64,
    values: Vec<Value>,
}

/// Cuts replies out of a stream of bytes.
#[derive(Default)]
pub struct Decoder {
    stack: Vec<Frame>,
    /// How many bytes of the unfinished line have been looked at.
    looked: usize,
}

/// A line's meaning by itself.
enum Item {
    Value(Value),
    Open(Shape, u64),
}

impl Decoder {
    /// A decoder at a reply's beginning.
    #[must_use]
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Whether a reply has begun that is not complete.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !self.stack.is_empty()
    }

    /// Reads on in `input` from `consumed`, which moves behind what has been understood. `None`:
    /// more bytes are needed behind those that are there.
    ///
    /// # Errors
    /// When the bytes are no reply.
    pub fn next(
        &mut self,
        input: &[u8],
        consumed: &mut usize,
    ) -> Result<Option<Value>, ReplyError> {
        loop {
            let Some(item) = self.item(&input[*consumed..], consumed)? else {
                return Ok(None);
            };
            let value = match item {
                Item::Value(value) => value,
                Item::Open(shape, count) if count > 0 => {
                    if self.stack.len() >= DEPTH_MAX {
                        return Err(ReplyError::Depth);
                    }
                    self.stack.push(Frame {
                        shape,
                        missing: count,
                        values: Vec::with_capacity(
                            usize::try_from(count)
                                .map_or(ELEMENTS_AHEAD, |n| n.min(ELEMENTS_AHEAD)),
                        ),
                    });
                    continue;
                }
                // An empty attribute says nothing at all.
                Item::Open(Shape::Attribute, _) => continue,
                Item::Open(shape, _) => close(shape, Vec::new()),
            };
            if let Some(whole) = self.put(value) {
                return Ok(Some(whole));
            }
        }
    }

    /// Puts a value where it belongs; gives the reply when that was the last of it.
    fn put(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(frame) = self.stack.last_mut() else {
                return Some(value);
            };
            frame.values.push(value);
            frame.missing -= 1;
            if frame.missing > 0 {
                return None;
            }
            let frame = self.stack.pop().expect("it was just the last");
            if frame.shape == Shape::Attribute {
                return None;
            }
            value = close(frame.shape, frame.values);
        }
    }

    /// One line, and the bytes behind it that it announces.
    fn item(&mut self, rest: &[u8], consumed: &mut usize) -> Result<Option<Item>, ReplyError> {
        let Some(&mark) = rest.first() else {
            return Ok(None);
        };
        if !b"+-:$*_,#(!=%~>|".contains(&mark) {
            return Err(ReplyError::Type(mark));
        }
        let from = self.looked.min(rest.len());
        let Some(end) = memchr::memmem::find(&rest[from..], b"\r\n").map(|at| at + from) else {
            // The last byte may be the first half of the end.
            self.looked = rest.len() - 1;
            return match rest.len() as u64 > BULK_BYTES_MAX {
                true => Err(ReplyError::Size),
                false => Ok(None),
            };
        };
        let (text, behind) = (&rest[1..end], &rest[end + 2..]);
        let mut used = end + 2;
        let item = match mark {
            b'+' => Item::Value(Value::Simple(text.to_vec())),
            b'-' => Item::Value(Value::Error(text.to_vec())),
            b':' => Item::Value(Value::Int(
                number::parse_i64(text).ok_or(ReplyError::Value)?,
            )),
            b',' => Item::Value(Value::Double(spelled(text, is_double)?)),
            b'(' => Item::Value(Value::Big(spelled(text, is_big)?)),
            b'#' => Item::Value(Value::Bool(truth(text)?)),
            b'_' if text.is_empty() => Item::Value(Value::Null),
            b'_' => return Err(ReplyError::Value),
            b'$' | b'!' | b'=' => match length(text, BULK_BYTES_MAX, mark == b'$')? {
                None => Item::Value(Value::Null),
                Some(len) => {
                    let len = usize::try_from(len).map_err(|_| ReplyError::Size)?;
                    if behind.len() < len.saturating_add(2) {
                        // The line is known, so the search begins at its end the next time.
                        self.looked = end;
                        return Ok(None);
                    }
                    if &behind[len..len + 2] != b"\r\n" {
                        return Err(ReplyError::End);
                    }
                    used += len + 2;
                    Item::Value(bulk(mark, &behind[..len])?)
                }
            },
            _ => match length(text, ELEMENTS_MAX, mark == b'*')? {
                None => Item::Value(Value::Null),
                Some(count) => open(mark, count),
            },
        };
        self.looked = 0;
        *consumed += used;
        Ok(Some(item))
    }
}

fn open(mark: u8, count: u64) -> Item {
    match mark {
        b'*' => Item::Open(Shape::Array, count),
        b'~' => Item::Open(Shape::Set, count),
        b'>' => Item::Open(Shape::Push, count),
        b'%' => Item::Open(Shape::Map, count * 2),
        _ => Item::Open(Shape::Attribute, count * 2),
    }
}

fn close(shape: Shape, values: Vec<Value>) -> Value {
    match shape {
        Shape::Array => Value::Array(values),
        Shape::Set => Value::Set(values),
        Shape::Push => Value::Push(values),
        Shape::Map | Shape::Attribute => {
            let mut values = values.into_iter();
            let mut pairs = Vec::with_capacity(values.len() / 2);
            while let (Some(key), Some(value)) = (values.next(), values.next()) {
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
    }
}

fn bulk(mark: u8, bytes: &[u8]) -> Result<Value, ReplyError> {
    match (mark, bytes) {
        (b'$', _) => Ok(Value::Bulk(bytes.to_vec())),
        (b'!', _) => Ok(Value::Error(bytes.to_vec())),
        (_, [_, _, _, b':', text @ ..]) => Ok(Value::Verbatim(text.to_vec())),
        _ => Err(ReplyError::Value),
    }
}

/// A length or a count; `None` is RESP2's -1 where that may stand.
fn length(text: &[u8], max: u64, may_be_null: bool) -> Result<Option<u64>, ReplyError> {
    if text == b"-1" && may_be_null {
        return Ok(None);
    }
    let length = number::parse_u64(text).ok_or(ReplyError::Value)?;
    match length <= max {
        true => Ok(Some(length)),
        false => Err(ReplyError::Size),
    }
}

fn truth(text: &[u8]) -> Result<bool, ReplyError> {
    match text {
        b"t" => Ok(true),
        b"f" => Ok(false),
        _ => Err(ReplyError::Value),
    }
}

fn spelled(text: &[u8], is_one: fn(&[u8]) -> bool) -> Result<Vec<u8>, ReplyError> {
    match is_one(text) {
        true => Ok(text.to_vec()),
        false => Err(ReplyError::Value),
    }
}

fn is_double(text: &[u8]) -> bool {
    let name = text.strip_prefix(b"-").unwrap_or(text);
    name.eq_ignore_ascii_case(b"nan") || number::parse_f64_rounded(text).is_some()
}

fn is_big(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All replies in `input`, and how it ended.
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
            input.drain(..consumed);
        }
        (values, None)
    }

    fn check(bytes: &[u8], expected: Result<Value, ReplyError>) {
        let whole = decode([bytes].into_iter());
        assert_eq!(decode(bytes.chunks(1)), whole, "{}", bytes.escape_ascii());
        match expected {
            Ok(value) => assert_eq!(whole, (vec![value], None)),
            Err(error) => assert_eq!(whole, (vec![], Some(error))),
        }
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.into())
    }

    #[test]
    fn scalars() {
        check(b"+OK\r\n", Ok(Value::Simple(b"OK".to_vec())));
        check(b"+\r\n", Ok(Value::Simple(vec![])));
        check(b"+a\rb\r\n", Ok(Value::Simple(b"a\rb".to_vec())));
        check(b"-ERR x\r\n", Ok(Value::Error(b"ERR x".to_vec())));
        check(b":-12\r\n", Ok(Value::Int(-12)));
        check(b"$3\r\n\r\n\0\r\n", Ok(bulk("\r\n\0")));
        check(b"$0\r\n\r\n", Ok(bulk("")));
        check(b"$-1\r\n", Ok(Value::Null));
        check(b"*-1\r\n", Ok(Value::Null));
        check(b"_\r\n", Ok(Value::Null));
        check(b"#t\r\n", Ok(Value::Bool(true)));
        check(b",1.50\r\n", Ok(Value::Double(b"1.50".to_vec())));
        check(b",-inf\r\n", Ok(Value::Double(b"-inf".to_vec())));
        check(b",nan\r\n", Ok(Value::Double(b"nan".to_vec())));
        check(b"(-349\r\n", Ok(Value::Big(b"-349".to_vec())));
        check(b"=6\r\ntxt:ab\r\n", Ok(Value::Verbatim(b"ab".to_vec())));
        check(b"!5\r\nERR x\r\n", Ok(Value::Error(b"ERR x".to_vec())));
    }

    #[test]
    fn aggregates() {
        check(b"*0\r\n", Ok(Value::Array(vec![])));
        check(b"%0\r\n", Ok(Value::Map(vec![])));
        check(
            b"*2\r\n:1\r\n%1\r\n+a\r\n*1\r\n$1\r\nb\r\n",
            Ok(Value::Array(vec![
                Value::Int(1),
                Value::Map(vec![(
                    Value::Simple(b"a".to_vec()),
                    Value::Array(vec![bulk("b")]),
                )]),
            ])),
        );
        check(b"~1\r\n_\r\n", Ok(Value::Set(vec![Value::Null])));
        check(b">1\r\n_\r\n", Ok(Value::Push(vec![Value::Null])));
    }

    #[test]
    fn attributes_are_dropped_wherever_they_stand() {
        check(b"|1\r\n+a\r\n:1\r\n:2\r\n", Ok(Value::Int(2)));
        check(
            b"*1\r\n|1\r\n+a\r\n*1\r\n:7\r\n|0\r\n:2\r\n",
            Ok(Value::Array(vec![Value::Int(2)])),
        );
    }

    #[test]
    fn what_is_no_reply() {
        check(b"@\r\n", Err(ReplyError::Type(b'@')));
        check(b"$2\r\nabc\r\n", Err(ReplyError::End));
        for bad in [
            ":1x\r\n",
            "#y\r\n",
            "_x\r\n",
            "(1.5\r\n",
            "$x\r\n",
            ",x\r\n",
            "=2\r\nab\r\n",
            "*-2\r\n",
            "~-1\r\n",
        ] {
            check(bad.as_bytes(), Err(ReplyError::Value));
        }
        check(b"*4294967296\r\n", Err(ReplyError::Size));
        check(b"$1099511627777\r\n", Err(ReplyError::Size));
        let deep = b"*1\r\n".repeat(DEPTH_MAX + 1);
        check(&deep, Err(ReplyError::Depth));
    }

    #[test]
    fn an_announcement_reserves_nothing() {
        let mut decoder = Decoder::new();
        let mut consumed = 0;
        assert_eq!(
            decoder.next(b"*4294967295\r\n$1099511627776\r\n", &mut consumed),
            Ok(None)
        );
        assert_eq!(consumed, 13);
        assert!(decoder.is_inside() && decoder.stack[0].values.capacity() <= ELEMENTS_AHEAD);
    }

    #[test]
    fn a_request_is_what_the_server_parses() {
        let mut bytes = Vec::new();
        request(&mut bytes, &[b"GET".as_slice(), b"a\r\n", b""]);
        assert_eq!(bytes, b"*3\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n$0\r\n\r\n");
    }
}
