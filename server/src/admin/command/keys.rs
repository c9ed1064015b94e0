//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys of a request that is not run.

use commands::CommandError;
use commands::spec::KeyFlags;
use resp::Args;

use super::requested;
use crate::admin::AdminCall;

/// COMMAND GETKEYS.
pub(super) fn getkeys(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let (request, keys) = find(call)?;
    call.reply.array(keys.len());
    for (at, _) in keys {
        call.reply.bulk(request.get(at));
    }
    Ok(())
}

/// COMMAND GETKEYSANDFLAGS.
pub(super) fn getkeysandflags(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let (request, keys) = find(call)?;
    call.reply.array(keys.len());
    for (at, access) in keys {
        call.reply.array(2);
        call.reply.bulk(request.get(at));
        call.reply.set(access.words().count());
        for word in access.words() {
            call.reply.simple(word.as_bytes());
        }
    }
    Ok(())
}

type Found<'c> = (Args<'c>, Vec<(usize, KeyFlags)>);

fn find<'c>(call: &AdminCall<'c, '_>) -> Result<Found<'c>, CommandError> {
    let request = call.args.skip(2);
    let command = requested(&call.server.commands, request)
        .ok_or(CommandError::Fixed("ERR Invalid command specified"))?;
    let keys = commands::keys::get_keys(&command.spec, request)?;
    Ok((request, keys))
}
