//! DEBUG's switches: CHANGE-REPL-ID, PAUSE-CRON, QUICKLIST-PACKED-THRESHOLD, REPLYBUFFER, SET-ACTIVE-EXPIRE, and SLEEP, which stops everything.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use commands::CommandError;

use crate::admin::AdminCall;
use crate::log;
use crate::mailbox::Letter;
use crate::worker::buffers::{NEVER_MS, PEAK_RESET_MS};

/// DEBUG SLEEP seconds
///
/// What Redis's one thread does by itself all workers have to be told: a stalled server answers
/// nobody. Those that are busy meanwhile sleep for what is left of the time. A worker never sleeps
/// otherwise.
pub(super) fn sleep(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let seconds = resp::number::parse_f64(call.args.get(2)).unwrap_or(0.0);
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if let Some(until) = Instant::now().checked_add(time) {
        call.server.post_all(|| Letter::Stall { until });
        std::thread::sleep(time);
    }
    call.reply.ok();
    Ok(())
}

/// DEBUG SET-ACTIVE-EXPIRE 0|1
pub(super) fn set_active_expire(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let on = resp::number::parse_i64(call.args.get(2)).unwrap_or(0) != 0;
    call.server.store.set_active_expire(on);
    call.reply.ok();
    Ok(())
}

/// DEBUG CHANGE-REPL-ID: INFO's `master_replid` is another from here on.
pub(super) fn change_replication_id(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    log::notice("Changing replication IDs after receiving change-repl-id");
    // Relaxed: only distinctness matters.
    let ids = &call.server.replication_ids;
    ids.fetch_add(1, Ordering::Relaxed);
    call.reply.ok();
    Ok(())
}

/// DEBUG PAUSE-CRON 0|1
pub(super) fn pause_cron(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let paused = resp::number::parse_i64(call.args.get(2)).ok_or(CommandError::NotInteger)? != 0;
    // Relaxed: a switch by itself.
    call.server.cron_paused.store(paused, Ordering::Relaxed);
    call.reply.ok();
    Ok(())
}

/// DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER|RESET|ms, RESIZING 0|1
///
/// When the cron forgets how long replies were, and whether it acts on that (`worker/buffers.rs`).
pub(super) fn replybuffer(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let tuning = &call.server.reply_tuning;
    if call.is(2, "peak-reset-time") {
        let time_ms = if call.is(3, "never") {
            NEVER_MS
        } else if call.is(3, "reset") {
            PEAK_RESET_MS
        } else {
            resp::number::parse_i64(call.args.get(3)).ok_or(CommandError::NotInteger)?
        };
        // Relaxed: switches by themselves, here and below.
        tuning.peak_reset_ms.store(time_ms, Ordering::Relaxed);
    } else if call.is(2, "resizing") {
        // As Redis reads it: what is no number is 0.
        let is_on = resp::number::parse_i64(call.args.get(3)).unwrap_or(0) != 0;
        tuning.is_on.store(is_on, Ordering::Relaxed);
    } else {
        return Err(super::unknown(call));
    }
    call.reply.ok();
    Ok(())
}

/// DEBUG QUICKLIST-PACKED-THRESHOLD size: from so many bytes on an element of a large list stands by
/// itself; 0: where its chunk would become too large.
pub(super) fn plain_elements(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let bytes = crate::config::bytes_of(call.args.get(2))
        .filter(|&bytes| bytes <= 1 << 32)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or(CommandError::Fixed(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        ))?;
    call.server.list_plain_bytes.store(bytes, Ordering::Relaxed);
    call.server.set_live(call.server.config.live());
    call.reply.ok();
    Ok(())
}
