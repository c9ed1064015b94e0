//! A file that takes another's place whole or not at all.
//!
//! ```text
//!   begin: create TEMPORARY ── write .. ── finish: flush ▶ rename over TARGET ▶ flush the folder
//!      └── dropped, or any of them fails: TEMPORARY is removed, TARGET is as it was
//! ```
//!
//! Checked by: the tests of `disk` on both kinds of disk; `simulated/tests.rs` cuts the power at each step.

use std::io;
use std::path::{Path, PathBuf};

use super::{DataFile, Disk, folder_of};

/// A file being written that is to replace another.
#[derive(Debug)]
pub struct Replacement {
    disk: Disk,
    /// None once it is closed to be renamed: Windows renames files better that nobody has open.
    file: Option<DataFile>,
    temporary: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl Replacement {
    /// Makes the temporary file, which lies in the target's folder. A leftover of its name is nobody's.
    ///
    /// # Errors
    /// The system's, here and below.
    pub fn begin(disk: &Disk, temporary: PathBuf, target: &Path) -> io::Result<Self> {
        debug_assert_eq!(temporary.parent(), target.parent());
        let file = disk.create(&temporary)?;
        Ok(Replacement {
            disk: disk.clone(),
            file: Some(file),
            temporary,
            target: target.to_owned(),
            renamed: false,
        })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut DataFile {
        self.file.as_mut().expect("open until it is finished")
    }

    /// Makes it durable and puts it in the target's place. When only the last step fails, flushing the
    /// folder, the target is the new file, but a power cut may bring back the old one.
    pub fn finish(mut self) -> io::Result<()> {
        self.file().flush()?;
        self.file = None;
        self.disk.rename(&self.temporary, &self.target)?;
        self.renamed = true;
        self.disk.flush_folder(folder_of(&self.target))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.renamed {
            self.file = None;
            // Best effort: whoever drops it has a failure to report already.
            let _ = self.disk.remove(&self.temporary);
        }
    }
}
