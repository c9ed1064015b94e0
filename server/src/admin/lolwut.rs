//! LOLWUT: a picture for whoever asks.
//!
//! Checked by: tests/transcripts/server/lolwut.txt.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::number::parse_i64;

use super::{AdminCall, Handler};
use crate::version::{REDIS_VERSION, VERSION};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&LOLWUT];

/// LOLWUT [VERSION version]
///
/// There is one picture, whatever version is asked for; what stands behind is not looked at.
const LOLWUT: CommandSpec<Handler> = CommandSpec {
    name: "lolwut",
    arity: Arity::AtLeast(1),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::FAST),
    group: Group::Server,
    since: "5.0.0",
    summary: "Shows a picture and the version.",
    syntax: "[VERSION version]",
    run: lolwut,
    ..CommandSpec::row(lolwut)
};

/// A redstart on its post: black throat, red tail.
const PICTURE: &str = r"
              .--.
             /  o \>
            |  ###/
         _.-'  ##(
      .-'   \\\  )
    .'  \\\\\\ ./
   /  \\\\\\.-'|
  /////==-'' | |
 ////        ^ ^
///    ==================
/             |    |
              |    |

";

fn lolwut(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.args.len() > 1 && call.is(1, "version") && call.args.len() > 2 {
        parse_i64(call.args.get(2)).ok_or(CommandError::NotInteger)?;
    }
    let text = format!("{PICTURE}Redis ver. {REDIS_VERSION} (Redstart {VERSION})\n");
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}
