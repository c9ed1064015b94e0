//! `--rdb file`, `--functions-rdb file`: the data as an RDB file, got as a replica gets it.

use super::fail;
use super::sync::{self, End};
use crate::out;
use crate::session::{Session, Told};
use os::disk::{DataFile, Disk};

/// Fetches the file; `-` is standard output.
pub(super) fn run(session: &mut Session, file: &[u8], functions: bool) -> Result<i32, Told> {
    let connection = session.connected()?;
    sync::replconf(connection, "capa", "eof")?;
    sync::replconf(connection, "rdb-only", "1")?;
    if functions && !sync::replconf(connection, "rdb-filter-only", "functions")? {
        return Err(fail(
            "Failed requesting functions only RDB from server, aborting",
        ));
    }
    let end = sync::begin(connection)?;
    let name = String::from_utf8_lossy(file).into_owned();
    match &end {
        End::Length(length) => {
            eprintln!("SYNC sent to master, writing {length} bytes to '{name}'");
        }
        End::Mark(_) => eprintln!(
            "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '{name}'"
        ),
    }
    let mut target = open(file, &name)?;
    let length = sync::receive(connection, &end, |piece| match &mut target {
        None => {
            out::write(piece);
            Ok(())
        }
        Some(target) => target.write(piece).map_err(|error| {
            let text = os::files::error_text(&error);
            fail(&format!("Error writing data to file: {text}"))
        }),
    })?;
    // The primary need not wait for our disk.
    session.connection = None;
    if let Some(target) = &target {
        target.flush().map_err(|error| {
            let text = os::files::error_text(&error);
            fail(&format!("Fail to fsync '{name}': {text}"))
        })?;
    }
    match end {
        End::Length(_) => eprintln!("Transfer finished with success."),
        End::Mark(_) => eprintln!("Transfer finished with success after {length} bytes"),
    }
    Ok(0)
}

fn open(file: &[u8], name: &str) -> Result<Option<DataFile>, Told> {
    if file == b"-" {
        return Ok(None);
    }
    match Disk::Real.create(&os::files::path(file)) {
        Ok(file) => Ok(Some(file)),
        Err(error) => {
            let text = os::files::error_text(&error);
            Err(fail(&format!("Error opening '{name}': {text}")))
        }
    }
}
