//! What the commands about single fields' times have in common: `FIELDS numfields field ..`, and
//! moments.

use resp::Args;

use crate::CommandError;
use crate::args::{TimeForm, integer, integer_or, is, wrong_arity};

/// What a command's `numfields` must be, as Redis words it for that command.
pub(super) const POSITIVE: &str = "ERR Number of fields must be a positive integer";
/// The same for HEXPIRE and its like.
pub(super) const GREATER: &str = "ERR Parameter `numFields` should be greater than 0";

/// Reads `FIELDS numfields field ..` from word `at` to the end of the request.
///
/// # Errors
/// Redis's texts; `bad_count` if the count is none.
pub(super) fn parse<'a>(
    args: Args<'a>,
    at: usize,
    bad_count: &'static str,
) -> Result<Args<'a>, CommandError> {
    if !args.try_get(at).is_some_and(|word| is(word, "FIELDS")) {
        return Err(CommandError::Fixed(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    // The arities of the others leave room for a count.
    let count = args.try_get(at + 1).ok_or_else(|| wrong_arity("hgetex"))?;
    let count = integer_or(count, bad_count)?;
    if count < 1 {
        return Err(CommandError::Fixed(bad_count));
    }
    let names = args.skip(at + 2);
    if names.len() as i64 != count {
        return Err(CommandError::Fixed(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(names)
}

/// The last millisecond at which a field can expire: Redis keeps 46 bits of a moment.
const DEADLINE_MAX_MS: i64 = (1 << 46) - 1;

/// A field's deadline, in milliseconds since 1970.
///
/// # Errors
/// Redis's texts for what is no time, negative, or too far away.
pub(super) fn deadline(
    word: &[u8],
    form: TimeForm,
    command: &'static str,
    now_ms: i64,
) -> Result<i64, CommandError> {
    let value = integer(word)?;
    if value < 0 {
        return Err(CommandError::Fixed("ERR invalid expire time, must be >= 0"));
    }
    let unit_ms = match form {
        TimeForm::Ex | TimeForm::ExAt => 1_000,
        TimeForm::Px | TimeForm::PxAt => 1,
    };
    let base_ms = match form {
        TimeForm::Ex | TimeForm::Px => now_ms,
        TimeForm::ExAt | TimeForm::PxAt => 0,
    };
    value
        .checked_mul(unit_ms)
        .and_then(|ms| ms.checked_add(base_ms))
        .filter(|&at| at <= DEADLINE_MAX_MS)
        .ok_or(CommandError::InvalidExpire(command))
}
