//! A message in the protocol's form, once for everybody who gets it.
//!
//! ```text
//!   RESP2  *3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n
//!   RESP3  >3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n
//!           └──────────────── head ──────────────────────┘    the first byte is the receiver's
//! ```
//!
//! A payload that was received into its own allocation stays there: `body`, and the head ends before it.
//!
//! **Invariant:** `name` is where the head has the channel or pattern that was subscribed to.

use std::ops::Range;
use std::sync::Arc;

use resp::{Blob, Proto, Reply};

use super::Kind;

/// What is published.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p> {
    /// The bytes.
    pub bytes: &'p [u8],
    /// The same in an allocation of their own, if they are.
    pub blob: Option<&'p Blob>,
}

impl<'p> From<&'p [u8]> for Payload<'p> {
    fn from(bytes: &'p [u8]) -> Payload<'p> {
        Payload { bytes, blob: None }
    }
}

/// A message for subscribers.
#[derive(Debug)]
pub struct Push {
    kind: Kind,
    head: Blob,
    name: Range<usize>,
    body: Option<Blob>,
}

impl Push {
    /// For the subscribers of a channel.
    #[must_use]
    pub fn message(kind: Kind, channel: &[u8], payload: Payload<'_>) -> Push {
        let word: &[u8] = match kind {
            Kind::Shard => b"smessage",
            Kind::Channel | Kind::Pattern => b"message",
        };
        let mut head = Vec::with_capacity(channel.len() + payload.bytes.len() + 64);
        head.extend_from_slice(b"3\r\n");
        bulk(&mut head, word);
        let name = bulk(&mut head, channel);
        Push::close(kind, head, name, payload)
    }

    /// For those of a pattern that matches the channel.
    #[must_use]
    pub fn pattern_message(pattern: &[u8], channel: &[u8], payload: Payload<'_>) -> Push {
        let room = pattern.len() + channel.len() + payload.bytes.len() + 80;
        let mut head = Vec::with_capacity(room);
        head.extend_from_slice(b"4\r\n");
        bulk(&mut head, b"pmessage");
        let name = bulk(&mut head, pattern);
        bulk(&mut head, channel);
        Push::close(Kind::Pattern, head, name, payload)
    }

    fn close(kind: Kind, mut head: Vec<u8>, name: Range<usize>, payload: Payload<'_>) -> Push {
        let body = payload.blob.cloned();
        if body.is_some() {
            length(&mut head, payload.bytes.len());
        } else {
            bulk(&mut head, payload.bytes);
        }
        Push {
            kind,
            head: Arc::new(head),
            name,
            body,
        }
    }

    /// What kind of subscription it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The channel or pattern that was subscribed to.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.head[self.name.clone()]
    }

    /// Says it to one receiver.
    pub fn write(&self, reply: &mut Reply) {
        reply.raw(match reply.proto() {
            Proto::Resp2 => b"*",
            Proto::Resp3 => b">",
        });
        reply.raw_blob(&self.head);
        if let Some(body) = &self.body {
            reply.raw_blob(body);
            reply.raw(b"\r\n");
        }
    }
}

fn length(into: &mut Vec<u8>, len: usize) {
    into.push(b'$');
    into.extend_from_slice(resp::number::format_u64(len as u64, &mut [0; 20]));
    into.extend_from_slice(b"\r\n");
}

/// A string; gives where its bytes are.
fn bulk(into: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    length(into, bytes.len());
    let begin = into.len();
    into.extend_from_slice(bytes);
    into.extend_from_slice(b"\r\n");
    begin..begin + bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(push: &Push, name: &str, resp2: &str) {
        assert_eq!(push.name(), name.as_bytes());
        for (proto, sigil) in [(Proto::Resp2, "*"), (Proto::Resp3, ">")] {
            let mut reply = Reply::new(proto);
            push.write(&mut reply);
            let expected = format!("{sigil}{}", resp2.replace('~', "\r\n"));
            assert_eq!(reply.output().to_vec(), expected.as_bytes());
        }
    }

    #[test]
    fn messages_are_redis_s() {
        let payload = || Payload::from(b"hi".as_slice());
        check(
            &Push::message(Kind::Channel, b"news", payload()),
            "news",
            "3~$7~message~$4~news~$2~hi~",
        );
        check(
            &Push::message(Kind::Shard, b"", payload()),
            "",
            "3~$8~smessage~$0~~$2~hi~",
        );
        check(
            &Push::pattern_message(b"n*", b"news", payload()),
            "n*",
            "4~$8~pmessage~$2~n*~$4~news~$2~hi~",
        );
    }

    #[test]
    fn a_large_payload_is_not_copied() {
        let blob: Blob = Arc::new(vec![b'v'; 100_000]);
        let payload = Payload {
            bytes: &blob,
            blob: Some(&blob),
        };
        let push = Push::message(Kind::Channel, b"c", payload);
        let mut replies = [Reply::default(), Reply::default()];
        for reply in &mut replies {
            push.write(reply);
        }
        assert_eq!(Arc::strong_count(&blob), 4);
        let expected = format!(
            "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$100000\r\n{}\r\n",
            "v".repeat(100_000)
        );
        assert_eq!(replies[1].output().to_vec(), expected.as_bytes());
    }
}
