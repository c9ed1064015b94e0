//! What the tests take from Debian: packages, source packages, the mirror.
//!
//! No mirror is named here: `mirror` reads the machine's own apt sources, in
//! both of their forms. What is taken from another suite than the machine's
//! (source packages, the Windows standard library) goes through apt with lists
//! and cache in a private folder, so the machine's own sources stay untouched.

use crate::{Res, sh};
use std::path::Path;

/// An apt source: where, which suites, signed by which key ring.
pub(crate) struct Mirror {
    pub(crate) uri: String,
    pub(crate) suites: Vec<String>,
    keyring: String,
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The mirror of the distribution itself (not its security archive, no other vendor's).
pub(crate) fn mirror() -> Res<Mirror> {
    let parts = Path::new("/etc/apt/sources.list.d");
    let mut files = vec![Path::new("/etc/apt/sources.list").to_path_buf()];
    if let Ok(entries) = std::fs::read_dir(parts) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|e| e.to_str()) {
            Some("sources") => found.extend(text.split("\n\n").filter_map(from_stanza)),
            _ => found.extend(text.lines().filter_map(from_line)),
        }
    }
    found
        .into_iter()
        .find(|mirror| mirror.uri.trim_end_matches('/').ends_with("debian"))
        .ok_or_else(|| "apt's sources name no mirror of Debian".into())
}

/// `Types:`, `URIs:` … as in `debian.sources`.
fn from_stanza(text: &str) -> Option<Mirror> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    if field("Enabled") == Some("no") || !field("Types")?.split_whitespace().any(|t| t == "deb") {
        return None;
    }
    Some(Mirror {
        uri: field("URIs")?.split_whitespace().next()?.to_string(),
        suites: field("Suites")?
            .split_whitespace()
            .map(str::to_string)
            .collect(),
        keyring: field("Signed-By").unwrap_or(KEYRING).to_string(),
    })
}

/// `deb [options] URI SUITE component…` as in `sources.list`.
fn from_line(line: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(tail) => tail.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let keyring = options
        .split_whitespace()
        .find_map(|o| o.strip_prefix("signed-by="));
    Some(Mirror {
        uri: uri.to_string(),
        suites: vec![suite.to_string()],
        keyring: keyring.unwrap_or(KEYRING).to_string(),
    })
}

/// Are we where apt works for us: on Debian (or a child of it) and root?
pub(crate) fn can_install() -> bool {
    sh::which("apt-get").is_some() && is_root()
}

fn is_root() -> bool {
    sh::which("id")
        .is_some_and(|id| sh::capture(&mut sh::cmd(id, &["-u"])).is_ok_and(|o| o.trim() == "0"))
}

/// Makes sure that these packages are installed; an error says what is missing.
pub(crate) fn install(packages: &[&str]) -> Res<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|p| !is_installed(p))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !can_install() {
        return Err(format!(
            "not installed: {list} (on Debian and as root they would be installed)"
        ));
    }
    println!("installing {list}");
    if install_now(&missing).is_ok() {
        return Ok(());
    }
    // The lists of a fresh machine are empty or old.
    sh::run_quietly(&mut sh::cmd("apt-get", &["-qq", "update"]))?;
    install_now(&missing)
}

fn install_now(packages: &[&str]) -> Res<()> {
    let mut command = sh::cmd(
        "apt-get",
        &["-qq", "-y", "--no-install-recommends", "install"],
    );
    command
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    sh::run_quietly(&mut command)
}

fn is_installed(package: &str) -> bool {
    let mut command = sh::cmd("dpkg-query", &["-W", "-f", "${db:Status-Status}", package]);
    command
        .output()
        .is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

/// apt with lists and cache of its own below `folder`.
pub(crate) struct PrivateApt {
    options: Vec<String>,
}

impl PrivateApt {
    /// `kind` is `deb` or `deb-src`; the suites' lists are fetched at once.
    pub(crate) fn new(folder: &Path, kind: &str, suites: &[String]) -> Res<PrivateApt> {
        let mirror = mirror()?;
        for name in ["lists/partial", "cache/archives/partial", "parts"] {
            sh::make_dir(&folder.join(name))?;
        }
        let stanza = format!(
            "Types: {kind}\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n",
            mirror.uri,
            suites.join(" "),
            mirror.keyring
        );
        sh::write(&folder.join("parts/private.sources"), stanza)?;
        let folder = folder.display();
        let options = [
            // The folder may be root's alone, where apt's own user cannot write.
            "APT::Sandbox::User=root".to_string(),
            "Dir::Etc::SourceList=/dev/null".to_string(),
            format!("Dir::Etc::SourceParts={folder}/parts"),
            format!("Dir::State::Lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
        ];
        let apt = PrivateApt {
            options: options
                .into_iter()
                .flat_map(|o| ["-o".to_string(), o])
                .collect(),
        };
        sh::run_quietly(&mut apt.command(&["-qq", "update"]))?;
        Ok(apt)
    }

    /// `apt-get` with our options.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = sh::cmd("apt-get", &[]);
        command.args(&self.options).args(arguments);
        command
    }
}

/// A minimal Debian of another suite in a folder; the folder appears only when it is whole.
pub(crate) fn debootstrap(suite: &str, include: &str, folder: &Path) -> Res<()> {
    install(&["debootstrap", "ca-certificates"])?;
    if !is_root() {
        return Err("debootstrap works as root alone".into());
    }
    let unfinished = folder.with_extension("new");
    sh::remove_dir(&unfinished)?;
    println!("debootstrap of {suite} into {}", folder.display());
    let program = sh::which("debootstrap").ok_or("debootstrap is not on PATH")?;
    let mut command = sh::cmd(program, &["--variant=minbase", include, suite]);
    sh::run_quietly(command.arg(&unfinished).arg(mirror()?.uri))?;
    std::fs::rename(&unfinished, folder).map_err(|e| format!("{}: {e}", folder.display()))
}

/// Fetches a source package's upstream tarball and unpacks it alone (none of
/// Debian's patches) as `.work/NAME/PACKAGE-VERSION`; gives folder and version.
pub(crate) fn upstream_source(package: &str) -> Res<(std::path::PathBuf, String)> {
    let folder = sh::work(package)?;
    let tarball = match find_tarball(&folder, package)? {
        Some(path) => path,
        None => {
            install(&["dpkg-dev"])?;
            let apt = PrivateApt::new(&folder.join("apt"), "deb-src", &mirror()?.suites)?;
            let mut command = apt.command(&["-qq", "source", "--download-only", package]);
            sh::run_quietly(command.current_dir(&folder))?;
            find_tarball(&folder, package)?.ok_or("apt-get source brought no .orig tarball")?
        }
    };
    let name = tarball
        .file_name()
        .expect("it is a file")
        .to_string_lossy()
        .into_owned();
    let version = name
        .trim_start_matches(&format!("{package}_"))
        .split(".orig")
        .next()
        .unwrap_or("")
        .to_string();
    let unpacked = folder.join(format!("{package}-{version}"));
    sh::remove_dir(&unpacked)?;
    sh::run(sh::cmd("tar", &["xf", &name]).current_dir(&folder))?;
    match unpacked.is_dir() {
        true => Ok((unpacked, version)),
        false => Err(format!("{name} holds no {package}-{version}/")),
    }
}

fn find_tarball(folder: &Path, package: &str) -> Res<Option<std::path::PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let prefix = format!("{package}_");
    Ok(entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.contains(".orig.tar") && !name.ends_with(".asc")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_sources_are_read() {
        let m =
            from_line("deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main")
                .expect("a deb line");
        assert_eq!(
            (m.uri.as_str(), m.keyring.as_str()),
            ("http://mirror.example/debian", "/k.gpg")
        );
        assert_eq!(m.suites, ["trixie"]);
        assert!(from_line("deb-src http://mirror.example/debian trixie main").is_none());
        assert!(from_line("# deb http://mirror.example/debian trixie main").is_none());
        let m = from_stanza("Types: deb\n# note\nURIs: http://mirror.example/debian\nSuites: a a-updates\nComponents: main").expect("a stanza");
        assert_eq!(m.suites, ["a", "a-updates"]);
        assert!(from_stanza("Types: deb-src\nURIs: http://x/debian\nSuites: a").is_none());
    }
}
