//! A connection's bytes while they are being served: received, cut into requests, run.
//!
//!   bytes     GET a⏎ SET b 1⏎ SET c …          what was received and not yet served
//!             └─ served ─┘└ parsed ┘└ half a request
//!   requests      ▲next
//!
//! An `Input` belongs to a connection from the moment in which bytes come until all whole requests
//! have run; what is left of half a request is moved into a vector of its size (`Connection::rest`),
//! so that an idle client, or one that dribbles, holds no buffer. A parked connection keeps its
//! `Input`, with the requests already cut.
//!
//! N1  `requests[next..]` have not run; their words lie in `bytes` and `batch`.
//! N2  `touched` is the first request whose keys have not been touched ahead.
//! N3  `consumed` is where the parser goes on; nothing before it is looked at again.

use resp::{Batch, Parsed, Parser, ProtocolError, Request};
use store::Spot;

use crate::table::{CommandId, CommandTable};

/// The most requests cut ahead of their run (`prefetch-batch-max-size` says how many): each touches
/// some four lines of cache ahead, which must still be there when it runs.
pub(crate) const BATCH_MAX: usize = 128;

/// A request that has been cut out and looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) request: Request,
    /// Which command; none when there is none of that name.
    pub(crate) command: Option<CommandId>,
    /// Where its key lies, if its row has exactly one and that has been touched ahead (N2).
    pub(crate) spot: Option<Spot>,
}

/// What stands behind the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Perhaps more requests: parsing stopped because enough were cut.
    More,
    /// Nothing whole.
    Rest,
    /// Half a request whose large word is to be received apart.
    Blob { at: usize, len: usize },
    /// A request one of whose words there was no memory for.
    Refused,
    /// Nonsense.
    Error(ProtocolError),
}

/// See the page.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    pub(crate) consumed: usize,
    pub(crate) batch: Batch,
    pub(crate) requests: Vec<Cut>,
    pub(crate) next: usize,
    pub(crate) touched: usize,
    pub(crate) behind: Behind,
    /// How often the request at `next` has found a shard held.
    pub(crate) tries: u32,
}

impl Input {
    pub(crate) fn new() -> Input {
        Input {
            bytes: Vec::new(),
            consumed: 0,
            batch: Batch::default(),
            requests: Vec::new(),
            next: 0,
            touched: 0,
            behind: Behind::Rest,
            tries: 0,
        }
    }

    /// Whether every request that was cut has run.
    #[inline]
    pub(crate) fn is_served(&self) -> bool {
        self.next == self.requests.len()
    }

    /// Cuts and looks up at most `wanted` more requests; all before must have run.
    #[inline]
    pub(crate) fn cut(
        &mut self,
        parser: &mut Parser,
        limits: &resp::Limits,
        commands: &CommandTable,
        wanted: usize,
    ) {
        debug_assert!(
            self.is_served(),
            "requests are cut when those before have run"
        );
        self.requests.clear();
        self.batch.clear();
        self.next = 0;
        self.touched = 0;
        self.behind = Behind::More;
        while self.requests.len() < wanted {
            match parser.next(&self.bytes, &mut self.consumed, &mut self.batch, limits) {
                Ok(Parsed::Request(request)) => {
                    let args = self.batch.args(&self.bytes, request);
                    let command = commands.resolve(args).map(|command| command.id);
                    self.requests.push(Cut {
                        request,
                        command,
                        spot: None,
                    });
                }
                Ok(Parsed::NeedMore) => self.behind = Behind::Rest,
                Ok(Parsed::NeedBlob { at, len }) => self.behind = Behind::Blob { at, len },
                Ok(Parsed::Refused) => self.behind = Behind::Refused,
                Err(error) => self.behind = Behind::Error(error),
            }
            if self.behind != Behind::More {
                break;
            }
        }
    }

    /// Whether bytes may be added behind those that are there.
    pub(crate) fn can_grow(&self) -> bool {
        matches!(self.behind, Behind::More | Behind::Rest)
    }

    /// Adds bytes behind those that are there; what was half a request may be whole now.
    pub(crate) fn grow(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.behind = Behind::More;
    }

    /// Takes out what is left of half a request, and the buffer if it is not that itself.
    pub(crate) fn take_rest(&mut self) -> (Vec<u8>, Option<Vec<u8>>) {
        let rest = self.bytes.len() - self.consumed;
        let bytes = std::mem::take(&mut self.bytes);
        let consumed = std::mem::take(&mut self.consumed);
        self.requests.clear();
        self.batch.clear();
        self.next = 0;
        self.touched = 0;
        if rest == 0 {
            (Vec::new(), Some(bytes))
        } else if consumed == 0 && rest > bytes.capacity() / 2 {
            // A long request that grows: its vector doubles, so that each byte moves a few times.
            (bytes, None)
        } else {
            (bytes[consumed..].to_vec(), Some(bytes))
        }
    }
}
