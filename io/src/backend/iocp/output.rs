//! Output that did not go at once: overlapped sends, one after the other.
//!
//!   send_parts ─▶ a part of at most 1 MiB is the kernel's ─▶ sent ─▶ send_parts … ─▶ send_is_over
//!        │  └ 4 MiB went at once ─▶ `ready`, others first
//!        └ no memory ─▶ send_less: half the part at once, down to 4 KiB; then a rest
//!
//! One send of a whole large reply would lock all of its pages, and fail where the system cannot;
//! and a peer that does not read must not cost the connection because the system is short of memory
//! for a moment. Each part that has gone doubles the next, up to the full size.
//!
//! Checked by: conformance (slow_reader, reset_mid_send, large_payload), `tests.rs`.

use super::op::{Op, Started};
use super::stream::{self, PART_BYTES_MAX};
use super::{Loop, Thing};
use crate::backend::shared::FLUSH_BYTES_MAX;
use crate::{Chunks, Completion, Token};
use std::io;
use std::time::Duration;

/// How long output rests when the system has no memory even for a small part of it.
pub(super) const SEND_PAUSE: Duration = Duration::from_millis(20);

impl Loop {
    /// A part of a stream's output has gone, or has failed.
    pub(super) fn sent(
        &mut self,
        token: Token,
        mut chunks: Chunks,
        result: io::Result<usize>,
        out: &mut Vec<Completion>,
    ) {
        let result = match result {
            Ok(n) => {
                chunks.advance(n);
                if let Some(stream) = self.find(token) {
                    stream.part_bytes = (stream.part_bytes * 2).min(PART_BYTES_MAX);
                }
                self.send_parts(token, chunks)
            }
            Err(error) if stream::is_short(&error) => self.send_less(token, chunks),
            Err(error) => Some((chunks, Err(error))),
        };
        if let Some((chunks, result)) = result {
            self.send_is_over(token, chunks, result, out);
        }
    }

    /// Sends parts until one is the kernel's, it is enough for one turn (then the stream is queued),
    /// or it is over: then gives how.
    pub(super) fn send_parts(
        &mut self,
        token: Token,
        mut chunks: Chunks,
    ) -> Option<(Chunks, io::Result<()>)> {
        let mut sent = 0;
        while !chunks.is_empty() {
            let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
                return None;
            };
            if sent >= FLUSH_BYTES_MAX {
                // The peer takes it as fast as we give it: others have their turn first.
                stream.sending = Some(chunks);
                self.queue(token);
                return None;
            }
            let part = stream.part_bytes;
            match Op::send(&stream.socket, token, chunks, part, stream.skips) {
                Started::Pending => {
                    stream.send_in_flight = true;
                    self.in_flight += 1;
                    return None;
                }
                Started::Now(op, n) => {
                    chunks = op.into_chunks();
                    chunks.advance(n);
                    sent += n;
                }
                Started::Failed(op, error) if stream::is_short(&error) => {
                    return self.send_less(token, op.into_chunks());
                }
                Started::Failed(op, error) => return Some((op.into_chunks(), Err(error))),
            }
        }
        Some((chunks, Ok(())))
    }

    /// The system was short of memory for a part.
    #[cold]
    pub(super) fn send_less(
        &mut self,
        token: Token,
        chunks: Chunks,
    ) -> Option<(Chunks, io::Result<()>)> {
        let stream = self.find(token)?;
        if stream.shrink_part() {
            return self.send_parts(token, chunks);
        }
        stream.sending = Some(chunks);
        self.short.add(token);
        None
    }

    pub(super) fn send_is_over(
        &mut self,
        token: Token,
        chunks: Chunks,
        result: io::Result<()>,
        out: &mut Vec<Completion>,
    ) {
        let Some(stream) = self.find(token) else {
            return;
        };
        if stream.dying {
            return self.go_on_dying(token);
        }
        out.push(Completion::Sent {
            token,
            chunks,
            result,
        });
    }
}
