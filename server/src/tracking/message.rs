//! An invalidation in the protocol's form.
//!
//! ```text
//!   RESP3                        >2 "invalidate" [k1 k2]      or _ for everything
//!   RESP2, redirected, Pub/Sub   *3 "message" "__redis__:invalidate" [k1 k2]   or (nil)
//!   RESP3, target gone           >2 "tracking-redir-broken" :id
//! ```
//!
//! To a RESP2 client that nobody redirects to, or that has subscribed to nothing, nothing can be said.

use resp::{Blob, Proto, Reply};

use super::shared;
use crate::clients::ClientId;

/// The channel in whose messages RESP2 clients find invalidations.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a client is told.
#[derive(Debug)]
pub enum Invalidation {
    /// These keys: an array in the protocol's form.
    Keys(Blob),
    /// Whatever it has: a database was emptied.
    Everything,
    /// The client that it redirects to is gone.
    Broken(ClientId),
}

impl Invalidation {
    /// Of some keys.
    pub(super) fn of<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Invalidation {
        let mut reply = Reply::default();
        let place = reply.defer();
        let mut count = 0;
        for key in keys {
            reply.bulk(key);
            count += 1;
        }
        reply.finish_array(place, count);
        Invalidation::Keys(shared(reply.output().to_vec()))
    }

    /// Says it to a client, as far as it can be said.
    pub(crate) fn write(&self, reply: &mut Reply, is_redirected: bool, is_subscriber: bool) {
        match (reply.proto(), self) {
            (Proto::Resp3, Invalidation::Broken(id)) => {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.int(i64::try_from(id.0).expect("ids count connections"));
                return;
            }
            (Proto::Resp3, _) => {
                reply.push(2);
                reply.bulk(b"invalidate");
            }
            (Proto::Resp2, Invalidation::Keys(_) | Invalidation::Everything)
                if is_redirected && is_subscriber =>
            {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
            }
            (Proto::Resp2, _) => return,
        }
        match self {
            Invalidation::Keys(array) => reply.raw_blob(array),
            Invalidation::Everything | Invalidation::Broken(_) => reply.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(what: &Invalidation, proto: Proto, redirected: bool, subscriber: bool, said: &str) {
        let mut reply = Reply::new(proto);
        what.write(&mut reply, redirected, subscriber);
        let got = String::from_utf8(reply.output().to_vec()).expect("text");
        assert_eq!(got.replace("\r\n", "~"), said);
    }

    #[test]
    fn each_is_told_in_its_own_way() {
        let keys = Invalidation::of([b"a".as_slice(), b"bc"].into_iter());
        let array = "*2~$1~a~$2~bc~";
        for (redirected, subscriber) in [(false, false), (true, false), (true, true)] {
            let said = format!(">2~$10~invalidate~{array}");
            check(&keys, Proto::Resp3, redirected, subscriber, &said);
        }
        let message = "*3~$7~message~$20~__redis__:invalidate~";
        check(
            &keys,
            Proto::Resp2,
            true,
            true,
            &format!("{message}{array}"),
        );
        check(&keys, Proto::Resp2, true, false, "");
        check(&keys, Proto::Resp2, false, true, "");
        let all = Invalidation::Everything;
        check(&all, Proto::Resp3, false, false, ">2~$10~invalidate~_~");
        check(&all, Proto::Resp2, true, true, &format!("{message}$-1~"));
        let broken = Invalidation::Broken(ClientId(7));
        check(
            &broken,
            Proto::Resp3,
            false,
            false,
            ">2~$21~tracking-redir-broken~:7~",
        );
        check(&broken, Proto::Resp2, false, true, "");
    }
}
