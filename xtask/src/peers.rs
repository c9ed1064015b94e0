//! `cargo xtask peers`: the servers to measure against, from Debian sid.
//!
//! sid carries the newest Valkey and Redis. They want a newer libc than stable
//! has, so they live in a debootstrap folder, `.work/peers/sid`, and start
//! through that folder's own dynamic linker: no chroot, the same process id,
//! the same file system, no cost at run time. Never in CI: sid changes daily.

use crate::{Res, debian, sh};

pub(crate) const USAGE: &str = "\
usage: cargo xtask peers [--fresh]

Prepares .work/peers with Debian sid's valkey-server and redis-server and prints the
scripts that start them; give them to `cargo xtask bench --peer` or use them as any server.
  --fresh   throw the folder away first and fetch today's versions";

/// Programs and the name of the script that starts each.
const PROGRAMS: &[(&str, &str)] = &[
    ("valkey-server", "valkey-server"),
    ("redis-server", "redis8-server"),
    ("valkey-benchmark", "valkey-benchmark"),
];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let fresh = options.flag("--fresh");
    options.finish()?;
    let folder = sh::work("peers")?;
    let sid = folder.join("sid");
    if fresh {
        sh::remove_dir(&sid)?;
    }
    if !sid.is_dir() {
        let include = "--include=ca-certificates,valkey-server,redis-server";
        debian::debootstrap("sid", include, &sid)?;
    }
    let linker = sid.join("lib64/ld-linux-x86-64.so.2");
    let libraries = sid.join("usr/lib/x86_64-linux-gnu");
    for (program, name) in PROGRAMS {
        let script = folder.join(name);
        let text = format!(
            "#!/bin/sh\nexec {} --library-path {} {} \"$@\"\n",
            linker.display(),
            libraries.display(),
            sid.join("usr/bin").join(program).display()
        );
        sh::write(&script, text)?;
        sh::run(sh::cmd("chmod", &["755"]).arg(&script))?;
        let version = sh::capture(&mut sh::cmd(&script, &["--version"]))?;
        println!("{}  ({})", script.display(), version.trim());
    }
    Ok(())
}
