//! DEBUG PROTOCOL: a value of every type of reply, for the tests of client libraries.

use commands::CommandError;
use resp::Proto;

use crate::admin::AdminCall;

#[allow(
    clippy::approx_constant,
    reason = "Redis's number: tests compare its digits"
)]
const DOUBLE: f64 = 3.141;

/// DEBUG PROTOCOL type
pub(super) fn protocol(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(2).to_ascii_lowercase();
    let reply = &mut *call.reply;
    match word.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12_345),
        b"double" => reply.double(DOUBLE),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.int(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => {
            // RESP2 has none.
            if reply.attribute(1) {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if reply.proto() == Proto::Resp2 {
                return Err(CommandError::Fixed(
                    "ERR RESP2 is not supported by this command",
                ));
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        _ => {
            return Err(CommandError::Fixed(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
