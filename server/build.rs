//! Tells `version.rs` the commit that is being built.

use std::process::Command;

fn main() {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=8", "HEAD"]).filter(|c| c.len() >= 8);
    let commit = commit
        .as_deref()
        .and_then(|c| c.get(..8))
        .unwrap_or("00000000");
    println!("cargo::rustc-env=REDSTART_COMMIT={commit}");
    // Watch what moves when HEAD does; a source package has neither and is built once.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && std::path::Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}
