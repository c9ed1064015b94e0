//! `cargo xtask cross`: the executable for Windows, built here.
//!
//! The C side is Debian's mingw-w64 (posix threads). The standard library for
//! the target comes from rustup; where rustup cannot get it, it is built from
//! Debian's `rust-src` of exactly our compiler's version (in the backports
//! suite of a later Debian), which takes 45 s the first time.
//!
//! A person's Windows has neither a C++ runtime nor mingw's DLLs, so the
//! result is looked at: it may import nothing but Windows's own libraries.

use crate::{Res, debian, sh};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const USAGE: &str = "\
usage: cargo xtask cross [--release] [--build-std]

Builds redstart-server.exe and redstart-cli.exe for x86_64-pc-windows-gnu and checks what they import.
  --release     with the profile `release` (default: `fast`)
  --build-std   build the standard library from source although rustup has it";

pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// What people run.
const PROGRAMS: &[&str] = &["redstart-server", "redstart-cli"];

/// The crates that have code for each system.
const SYSTEM_CRATES: &[&str] = &["--package", "io", "--package", "os"];

pub(crate) const PACKAGES: &[&str] = &[
    "gcc-mingw-w64-x86-64-posix",
    "g++-mingw-w64-x86-64-posix",
    "binutils-mingw-w64-x86-64",
];

/// Suites that may carry `rust-src` of a compiler newer than the distribution's.
const RUST_SUITES: &[&str] = &["trixie-backports", "sid"];

/// What comes with every Windows; whole families by their prefix.
const WINDOWS_DLLS: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "crypt32.dll",
    "dbghelp.dll",
    "gdi32.dll",
    "iphlpapi.dll",
    "kernel32.dll",
    "kernelbase.dll",
    "msvcrt.dll",
    "mswsock.dll",
    "ntdll.dll",
    "ole32.dll",
    "powrprof.dll",
    "psapi.dll",
    "secur32.dll",
    "shell32.dll",
    "user32.dll",
    "userenv.dll",
    "winmm.dll",
    "ws2_32.dll",
];
const WINDOWS_PREFIXES: &[&str] = &["api-ms-win-"];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let profile = if options.flag("--release") {
        "release"
    } else {
        "fast"
    };
    let from_source = options.flag("--build-std");
    options.finish()?;
    for package in PROGRAMS {
        println!("{}", build(package, profile, from_source)?.display());
    }
    Ok(())
}

/// Builds one of our programs, checks the imports, and says where the executable lies.
pub(crate) fn build(package: &str, profile: &str, from_source: bool) -> Res<PathBuf> {
    sh::run(&mut cargo_for_windows(
        &["build", "--package", package, "--profile", profile],
        from_source,
    )?)?;
    let profile = if profile == "dev" { "debug" } else { profile };
    let program = folder()
        .join(TARGET)
        .join(profile)
        .join(format!("{package}.exe"));
    check_imports(&program)?;
    Ok(program)
}

/// Clippy sees the code that only Windows compiles.
pub(crate) fn clippy() -> Res<()> {
    for package in PROGRAMS {
        let words = ["clippy", "--package", package, "--profile", "fast"];
        sh::run(cargo_for_windows(&words, false)?.args(["--", "-D", "warnings"]))?;
    }
    // These two have code of their own for each system, and tests of it.
    let words: [&[&str]; 2] = [
        &["clippy", "--all-targets", "--profile", "fast"],
        SYSTEM_CRATES,
    ];
    sh::run(cargo_for_windows(&words.concat(), false)?.args(["--", "-D", "warnings"]))
}

/// Builds the tests of the crates that touch the system, and says where they lie.
pub(crate) fn build_tests() -> Res<Vec<PathBuf>> {
    let words: [&[&str]; 2] = [
        &[
            "test",
            "--no-run",
            "--lib",
            "--tests",
            "--profile",
            "fast",
            "--message-format",
            "json",
        ],
        SYSTEM_CRATES,
    ];
    let messages = sh::capture(&mut cargo_for_windows(&words.concat(), false)?)?;
    // A path stands in JSON with nothing to escape, on the systems where this runs.
    let programs: Vec<PathBuf> = messages
        .split("\"executable\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(PathBuf::from)
        .collect();
    match programs.is_empty() {
        true => Err("cargo names no test programs".into()),
        false => Ok(programs),
    }
}

/// A folder of its own, because a library from source has other fingerprints.
fn folder() -> PathBuf {
    sh::target().join("windows")
}

fn cargo_for_windows(words: &[&str], from_source: bool) -> Res<Command> {
    debian::install(PACKAGES)?;
    let mut command = sh::cmd(sh::cargo(), words);
    command.args(["--quiet", "--target", TARGET]);
    command.env("CC_x86_64_pc_windows_gnu", "x86_64-w64-mingw32-gcc-posix");
    command.env("CXX_x86_64_pc_windows_gnu", "x86_64-w64-mingw32-g++-posix");
    command.env(
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER",
        "x86_64-w64-mingw32-gcc-posix",
    );
    command.arg("--target-dir").arg(folder());
    if from_source || !has_target() {
        use_library_source(&mut command)?;
    }
    Ok(command)
}

/// Does our toolchain have the target's library, if need be from rustup now?
fn has_target() -> bool {
    let library = sh::capture(&mut sh::cmd(
        "rustc",
        &["--print", "target-libdir", "--target", TARGET],
    ));
    let is_there = |text: &String| Path::new(text.trim()).is_dir();
    if library.is_ok_and(|text| is_there(&text)) {
        return true;
    }
    sh::which("rustup").is_some()
        && sh::run_quietly(&mut sh::cmd("rustup", &["target", "add", TARGET])).is_ok()
}

/// Lets cargo build the standard library from Debian's `rust-src` of our version.
fn use_library_source(command: &mut Command) -> Res<()> {
    let sysroot = sh::capture(&mut sh::cmd("rustc", &["--print", "sysroot"]))?;
    let place = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    if !place.join("library/std").is_dir() {
        let library = unpack_rust_src()?;
        sh::make_dir(&place)?;
        sh::run(
            sh::cmd("ln", &["-sfn"])
                .arg(&library)
                .arg(place.join("library")),
        )?;
    }
    command
        .arg("-Zbuild-std=std,panic_unwind")
        .env("RUSTC_BOOTSTRAP", "1");
    // Without rustup's own copies of mingw's start files and libgcc, the compiler's are linked in.
    command.env(
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS",
        "-Clink-arg=-static-libgcc",
    );
    Ok(())
}

fn unpack_rust_src() -> Res<PathBuf> {
    let says = sh::capture(&mut sh::cmd("rustc", &["--version"]))?;
    let version = says
        .split_whitespace()
        .nth(1)
        .ok_or("rustc --version names no version")?
        .to_string();
    let folder = sh::cache()?.join("rust-src");
    let library = folder.join(format!("x/usr/src/rustc-{version}/library"));
    if library.is_dir() {
        return Ok(library);
    }
    for suite in RUST_SUITES {
        println!("rust-src {version} from {suite}");
        let apt = debian::PrivateApt::new(&folder.join(suite), "deb", &[suite.to_string()])?;
        let wanted = format!("rust-src={version}*");
        let mut command = apt.command(&["-qq", "download", &wanted]);
        if sh::run_quietly(command.current_dir(&folder)).is_err() {
            continue;
        }
        let entries =
            std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let package = entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                path.file_name().is_some_and(|n| {
                    n.to_string_lossy()
                        .starts_with(&format!("rust-src_{version}"))
                })
            })
            .ok_or("apt-get download brought no rust-src")?;
        sh::run(
            sh::cmd("dpkg-deb", &["-x"])
                .arg(&package)
                .arg(folder.join("x")),
        )?;
        return match library.is_dir() {
            true => Ok(library),
            false => Err(format!(
                "{} holds no library of {version}",
                package.display()
            )),
        };
    }
    Err(format!(
        "rustup has no {TARGET} for us, and Debian no rust-src {version}"
    ))
}

/// Fails when the program asks for a DLL that Windows does not bring.
fn check_imports(program: &Path) -> Res<()> {
    let text = sh::capture(sh::cmd("x86_64-w64-mingw32-objdump", &["-p"]).arg(program))?;
    let imports: Vec<&str> = text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("DLL Name: "))
        .collect();
    if imports.is_empty() {
        return Err(format!("objdump lists no imports of {}", program.display()));
    }
    let foreign: Vec<&str> = imports
        .into_iter()
        .filter(|name| !is_windows_dll(name))
        .collect();
    match foreign.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} wants DLLs that Windows lacks: {}",
            program.display(),
            foreign.join(", ")
        )),
    }
}

fn is_windows_dll(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WINDOWS_DLLS.contains(&name.as_str()) || WINDOWS_PREFIXES.iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::is_windows_dll;

    #[test]
    fn mingw_runtimes_are_not_windows() {
        for name in [
            "KERNEL32.dll",
            "WS2_32.dll",
            "api-ms-win-core-synch-l1-2-0.dll",
        ] {
            assert!(is_windows_dll(name), "{name}");
        }
        for name in [
            "libgcc_s_seh-1.dll",
            "libstdc++-6.dll",
            "libwinpthread-1.dll",
            "vcruntime140.dll",
        ] {
            assert!(!is_windows_dll(name), "{name}");
        }
    }
}
