//! RESP2 and RESP3: bytes to requests, replies to bytes. No sockets, no clock, no store.
//!
//!   input buffer ──Parser──▶ Batch (spans of many requests) ──▶ Args ──▶ a handler
//!   a handler ──▶ Reply ──▶ Output (chunks, tail) ──▶ whoever writes to the socket
//!
//! | file | what lives there |
//! |---|---|
//! | `args.rs` | a request's words without copying: `Span`, `Blob`, `Args`, `OwnedArgs` |
//! | `parse.rs` | the incremental request parser |
//! | `limits.rs` | what may be sent, and the error texts |
//! | `batch.rs` | the requests of one read |
//! | `inline.rs` | words with quotes and escapes: inline commands and configuration lines |
//! | `quote.rs` | the other direction: any bytes as a quoted word |
//! | `reply.rs` | the reply builder for both protocol versions |
//! | `output.rs` | what the builder fills: bytes and shared large values, in order |
//! | `client.rs` | the client's side: requests to bytes, replies of both versions to values |
//! | `number.rs` | strict text to integer and float, and back |
//!
//! Everything here meets bytes of strangers: lengths are checked before they are used, nothing is
//! reserved because a client announced it, and no byte of a reply's text can end its line early.
#![forbid(unsafe_code)]

mod args;
mod batch;
pub mod client;
mod inline;
mod limits;
pub mod number;
mod output;
mod parse;
mod quote;
mod reply;

pub use args::{Args, ArgsIter, Blob, OwnedArgs, Span};
pub use batch::{Batch, Request};
pub use inline::{UnbalancedQuotes, split_words};
pub use limits::{Limits, ProtocolError};
pub use output::{Chunk, Output};
pub use parse::{Parsed, Parser, Refused, take_blob};
pub use quote::{repr, repr_into};
pub use reply::{Mark, Proto, Reply, shared};
