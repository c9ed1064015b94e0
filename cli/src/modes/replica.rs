//! `--replica`, and SYNC at the prompt: shows what a primary sends to its replicas, as CSV.

use super::sync::{self, End};
use crate::connection::Lost;
use crate::out;
use crate::session::{Session, Told};
use crate::show::{Form, Style};
use std::time::Duration;

/// A primary that sends its file while making it takes a replica into service after this.
const BEFORE_ONLINE: Duration = Duration::from_secs(1);

/// Runs until the primary hangs up.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    let connection = session.connected()?;
    sync::replconf(connection, "capa", "eof")?;
    // Nothing of the data: only what follows is wanted. Servers that do not know it send all.
    sync::replconf(connection, "rdb-filter-only", "")?;
    let lost = stream(session);
    eprintln!("Error: {lost}");
    Err(Told)
}

/// Drops the file and shows the stream; how it ended.
pub(crate) fn stream(session: &mut Session) -> Lost {
    if drop_file(session).is_err() {
        return Lost::Closed;
    }
    let style = Style {
        form: Form::Csv,
        ..session.style.clone()
    };
    let Some(connection) = session.connection.as_mut() else {
        return Lost::Closed;
    };
    loop {
        match connection.receive() {
            Ok(command) => out::write(&style.reply(&command)),
            Err(lost) => return lost,
        }
    }
}

fn drop_file(session: &mut Session) -> Result<(), Told> {
    let connection = session.connected()?;
    let end = sync::begin(connection)?;
    match &end {
        End::Length(length) => {
            eprintln!("SYNC with master, discarding {length} bytes of bulk transfer...");
            sync::receive(connection, &end, |_| Ok(()))?;
            eprintln!("SYNC done. Logging commands from master.");
        }
        End::Mark(_) => {
            eprintln!("SYNC with master, discarding bytes of bulk transfer until EOF marker...");
            let length = sync::receive(connection, &end, |_| Ok(()))?;
            eprintln!("SYNC done after {length} bytes. Logging commands from master.");
            std::thread::sleep(BEFORE_ONLINE);
            eprintln!("sending REPLCONF ACK 0");
            // An acknowledgement has no reply; what is wrong with the link shows when reading.
            let _ = connection.send(&["REPLCONF", "ACK", "0"]);
        }
    }
    Ok(())
}
