//! DEBUG's switches: PAUSE-CRON, REPLYBUFFER, SET-ACTIVE-EXPIRE, and SLEEP, which stops everything.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use commands::CommandError;

use crate::admin::AdminCall;
use crate::mailbox::Letter;

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
/// A connection here keeps no buffer when it has nothing to say, so there is no peak to forget and
/// nothing to resize: the words are checked, and that is all there is to do.
pub(super) fn replybuffer(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let is_word = |at: usize, word: &str| call.is(at, word);
    let is_number = resp::number::parse_i64(call.args.get(3)).is_some();
    if is_word(2, "peak-reset-time") {
        if !is_number && !is_word(3, "never") && !is_word(3, "reset") {
            return Err(CommandError::NotInteger);
        }
    } else if !is_word(2, "resizing") {
        return Err(super::unknown(call));
    }
    call.reply.ok();
    Ok(())
}
