//! A rewrite's dealings with the files (A5): what is made, named and removed in which order.
//!
//! ```text
//!   begin     new incremental file ─▶ manifest: .. old old NEW           units still go to the old one
//!   (ticket)  cut, Log::switch                                            units behind the cut go to NEW
//!   (job)     base from the cut, under a temporary name, renamed          the manifest does not name it yet
//!   finish    manifest: BASE, NEW, the rest is history ─▶ remove history ─▶ manifest: BASE NEW
//! ```
//!
//! Loading after a crash between any two of them gives the same data: before `finish` has replaced the
//! manifest the old base and all incremental files, after it the new base and what stands behind its cut.
//!
//! When the log begins while the server runs (CONFIG SET appendonly yes), what the manifest names is not
//! ours to go on with: NEW has a temporary name, and no manifest names it, until the base is there
//! (`begin_apart`, `finish_apart`).
//!
//! Checked by: `tests/power.rs` (D3 through rewrites), `tests/faults.rs`.

use std::io;

use os::disk::{DataFile, Disk, folder_of};

use super::manifest::{Entry, Layout, Manifest, make_folder};
use super::seal;

/// An incremental file that is about to be written to.
#[derive(Debug)]
pub struct Fresh {
    /// The file.
    pub file: DataFile,
    /// How long it is; all of it is durable.
    pub bytes: u64,
    /// Its number: what stands before it becomes history.
    pub seq: i64,
}

/// Makes the next incremental file, and a durable manifest that names it.
///
/// # Errors
/// The disk's. The manifest is as it was, in memory and, unless the last flush alone failed, on the disk.
pub fn begin(
    disk: &Disk,
    layout: &Layout,
    manifest: &mut Manifest,
    has_seals: bool,
) -> io::Result<Fresh> {
    make_folder(disk, layout)?;
    let mut next = manifest.clone();
    let entry = next.add_incremental(layout).clone();
    let path = layout.path(&entry.name);
    let file = new_file(disk, &path, has_seals)?;
    // When that fails, the manifest on the disk may be the new one all the same: the file stays, empty, and
    // the next rewrite takes its name again.
    next.store(disk, layout)?;
    let bytes = file.len()?;
    *manifest = next;
    Ok(Fresh {
        file,
        bytes,
        seq: entry.seq,
    })
}

/// Makes an incremental file that no manifest names yet.
///
/// # Errors
/// The disk's.
pub fn begin_apart(
    disk: &Disk,
    layout: &Layout,
    manifest: &Manifest,
    has_seals: bool,
) -> io::Result<Fresh> {
    make_folder(disk, layout)?;
    // Another beginning may have failed, and the log write to its file still: that one goes on without a name.
    disk.remove(&layout.temporary_incremental())?;
    let file = new_file(disk, &layout.temporary_incremental(), has_seals)?;
    let bytes = file.len()?;
    let seq = manifest.clone().add_incremental(layout).seq;
    Ok(Fresh { file, bytes, seq })
}

fn new_file(disk: &Disk, path: &std::path::Path, has_seals: bool) -> io::Result<DataFile> {
    let mut file = disk.create(path)?;
    if has_seals {
        file.write(&seal::first_line())?;
    }
    file.flush()?;
    Ok(file)
}

/// The base is there, durable, under its name: it and what stands from incremental file `seq` on are all
/// that counts. The history's files are removed, unless they are to be kept (`aof-disable-auto-gc`).
///
/// # Errors
/// The disk's; the manifest in memory is as it was. That the history's files could not be removed is no
/// error: they stay listed.
pub fn finish(
    disk: &Disk,
    layout: &Layout,
    manifest: &mut Manifest,
    base: Entry,
    seq: i64,
    keeps_history: bool,
) -> io::Result<()> {
    let mut next = manifest.clone();
    next.rebase(base, seq);
    next.store(disk, layout)?;
    *manifest = next;
    if !keeps_history {
        // Tried again by the next rewrite.
        let _ = manifest.remove_history(disk, layout);
    }
    Ok(())
}

/// The same for a log that has begun apart: its file takes its name first.
///
/// # Errors
/// As `finish`.
pub fn finish_apart(
    disk: &Disk,
    layout: &Layout,
    manifest: &mut Manifest,
    base: Entry,
    seq: i64,
    keeps_history: bool,
) -> io::Result<()> {
    let mut next = manifest.clone();
    let entry = next.add_incremental(layout).clone();
    debug_assert_eq!(entry.seq, seq, "the manifest has not changed meanwhile");
    let path = layout.path(&entry.name);
    disk.rename(&layout.temporary_incremental(), &path)?;
    disk.flush_folder(folder_of(&path))?;
    let finished = finish(disk, layout, &mut next, base, seq, keeps_history);
    if finished.is_ok() {
        *manifest = next;
    }
    finished
}

/// Opens the file that the manifest says is written to, or makes the first one; its length. What is in it is
/// made durable: a process that was killed may have left it to the system.
///
/// # Errors
/// The disk's.
pub fn open_last(
    disk: &Disk,
    layout: &Layout,
    manifest: &mut Manifest,
    has_seals: bool,
) -> io::Result<(DataFile, u64)> {
    let Some(last) = manifest.incremental.last() else {
        let fresh = begin(disk, layout, manifest, has_seals)?;
        return Ok((fresh.file, fresh.bytes));
    };
    let file = disk.append(&layout.path(&last.name))?;
    file.flush()?;
    disk.flush_folder(&layout.folder())?;
    let bytes = file.len()?;
    Ok((file, bytes))
}
