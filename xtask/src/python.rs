//! Libraries that bring their tests in their source distribution on the Python index.
//!
//! ```text
//!   .work/FOLDER/NAME-VERSION/     the source
//!                venv/bin/python   an environment in which it is installed, with what its tests want
//!                ready-VERSION     both are there
//! ```

use crate::{Res, debian, sh};
use std::path::{Path, PathBuf};

/// What Debian has to install.
pub(crate) const PACKAGES: &[&str] = &["python3", "python3-venv"];

/// A library of a fixed version.
pub(crate) struct Library {
    /// The folder below the work folder.
    pub(crate) folder: &'static str,
    /// Its name in the index.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What its tests want beside it.
    pub(crate) with: &'static [&'static str],
}

impl Library {
    /// Where the source lies.
    pub(crate) fn source(&self) -> Res<PathBuf> {
        Ok(sh::work(self.folder)?.join(format!("{}-{}", self.name, self.version)))
    }

    /// Gets source and environment, unless both are there; gives the environment's python. `mend`
    /// changes the source before it counts as ready.
    pub(crate) fn prepare(&self, mend: impl FnOnce(&Path) -> Res<()>) -> Res<PathBuf> {
        let folder = sh::work(self.folder)?;
        let venv = folder.join("venv");
        let python = venv.join("bin/python");
        let source = self.source()?;
        let done = folder.join(format!("ready-{}", self.version));
        if done.is_file() {
            return Ok(python);
        }
        if sh::which("python3").is_none()
            || sh::run_quietly(&mut sh::cmd("python3", &["-m", "ensurepip", "--version"])).is_err()
        {
            debian::install(PACKAGES)?;
        }
        sh::remove_dir(&venv)?;
        sh::remove_dir(&source)?;
        sh::run_quietly(sh::cmd("python3", &["-m", "venv"]).arg(&venv))?;
        let pip = |arguments: &[&str]| {
            let mut command = sh::cmd(&python, &["-m", "pip", "-q", "--disable-pip-version-check"]);
            sh::run_quietly(command.args(arguments).current_dir(&folder))
        };
        let (name, version) = (self.name, self.version);
        let wanted = format!("{name}=={version}");
        pip(&["download", "--no-binary", name, "--no-deps", &wanted])?;
        let archive = format!("{name}-{version}.tar.gz");
        sh::run(sh::cmd("tar", &["xzf", &archive]).current_dir(&folder))?;
        let mut install = vec!["install", "pytest", "pytest-asyncio", "pytest-timeout"];
        install.extend(self.with);
        let ours = source.display().to_string();
        install.push(&ours);
        pip(&install)?;
        mend(&source)?;
        sh::write(&done, "")?;
        Ok(python)
    }
}
