//! DEBUG RELOAD and LOADAOF: the data comes back from its files, while the caller holds everything.
//!
//! Saving goes past the jobs: one that runs writes a file of its own, and waiting for its end would wait for
//! somebody who may want the locks that are held here.

use commands::CommandError;
use persist::{Job, Kind};
use store::Freeing;

use crate::admin::AdminCall;
use crate::log;

/// DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]
pub(super) fn reload(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let (mut merge, mut flush, mut save) = (false, true, true);
    for at in 2..call.args.len() {
        match call.args.get(at).to_ascii_lowercase().as_slice() {
            b"merge" => merge = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => {
                return Err(CommandError::Fixed(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    let server = call.server;
    let unit = call
        .unit
        .as_deref_mut()
        .expect("the row asks for all locks");
    if save {
        let cut = unit.cut()?;
        let changes = server.changes.total();
        let mut order = server.save_order();
        order.temporary.set_extension("reload.rdb");
        let job = Job::new(Kind::Save, call.desk.clock_ms.div_euclid(1_000));
        if let Err(failure) = persist::save::save(cut, &order, &job) {
            log::warning(failure);
            return Err(CommandError::Fixed("ERR"));
        }
        server.note_saved(changes);
    }
    // What comes back is in the log already, and none of it is news.
    unit.record(false);
    if flush {
        unit.flush_all(Freeing::Now);
    }
    if server.load_again(unit, merge).is_err() {
        return Err(CommandError::Fixed("ERR Error trying to load the RDB dump"));
    }
    log::warning("DB reloaded by DEBUG RELOAD");
    call.reply.ok();
    Ok(())
}

/// DEBUG LOADAOF
pub(super) fn load_log(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let server = call.server;
    let unit = call
        .unit
        .as_deref_mut()
        .expect("the row asks for all locks");
    if !server.settle_log() {
        return Err(CommandError::Fixed("ERR"));
    }
    unit.record(false);
    unit.flush_all(Freeing::Now);
    if server.load_log_again(unit).is_err() {
        // As Redis: half of the data is worse than none.
        log::flush();
        os::raw::exit_now(1);
    }
    log::warning("Append Only File loaded by DEBUG LOADAOF");
    call.reply.ok();
    Ok(())
}
