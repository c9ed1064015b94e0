//! `--scan`: every key, a line each.

use super::{keys, pause};
use crate::interrupt;
use crate::out;
use crate::session::{Session, Told};
use crate::show::Form;

/// Runs through all keys.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    interrupt::flag();
    let mut cursor = session.options.cursor;
    loop {
        let page;
        (cursor, page) = keys::scan(session, cursor)?;
        let mut lines = Vec::new();
        for key in page {
            match session.style.form {
                Form::People => resp::repr_into(&mut lines, &key),
                _ => lines.extend_from_slice(&key),
            }
            lines.push(b'\n');
        }
        out::write(&lines);
        if cursor == 0 || interrupt::came() {
            return Ok(0);
        }
        pause(session.options.interval_us);
    }
}
