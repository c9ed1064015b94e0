//! `cargo xtask wine`: the Windows executable under Wine, spoken to from Linux.
//!
//! Wine 10 from Debian trixie in a debootstrap folder (the Wine of bookworm
//! lacks a DLL that Rust's library imports), entered with bubblewrap; the
//! folder is made once in the cache (a minute, 1.4 GB) and kept. Loopback is
//! shared, so the checks here are an ordinary client on Linux.
//!
//! Traps that this file knows: without `/sys` Wine sees no processor; console
//! events need a console, so the server runs under `script`, which has one.

use crate::wire::{Client, Reply, encode};
use crate::{Res, cross, debian, server, sh};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const USAGE: &str = "\
usage: cargo xtask wine [--exe PROGRAM --cli PROGRAM] [--prepare]

Builds redstart-server.exe and redstart-cli.exe and runs smoke tests under Wine: PING, SET and GET,
pipelines, 1,000 clients, a 100 MB value, the client with redirected input and output, a clean end
on Ctrl-C. Without --exe the tests of io and os run there too.
  --exe PROGRAM   a server that is built already
  --cli PROGRAM   a client that is built already
  --prepare       only make the Wine folder
The folder lies in $REDSTART_CACHE (default ~/.cache/redstart).";

/// Debian packages that this needs.
pub(crate) const PACKAGES: &[&str] = &["bubblewrap", "debootstrap", "bsdutils"];

const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let program = options.value("--exe")?;
    let client = options.value("--cli")?;
    let prepare_only = options.flag("--prepare");
    options.finish()?;
    let wine = Wine::prepare()?;
    if prepare_only {
        return Ok(());
    }
    let client = match client {
        Some(path) => PathBuf::from(path),
        None => cross::build("redstart-cli", "fast", false)?,
    };
    match program {
        Some(path) => smoke(&wine, &PathBuf::from(path), &client),
        None => {
            let program = cross::build("redstart-server", "fast", false)?;
            smoke(&wine, &program, &client)?;
            unit_tests(&wine, &cross::build_tests()?)
        }
    }
}

/// The tests of the crates that touch the system, the driver's conformance suite among them.
pub(crate) fn unit_tests(wine: &Wine, programs: &[PathBuf]) -> Res<()> {
    for program in programs {
        let name = format!("test-{}.exe", std::process::id());
        let inside = wine.root.join("w").join(&name);
        std::fs::copy(program, &inside).map_err(|e| format!("{}: {e}", program.display()))?;
        let output = wine
            .command(&["wine", &format!("/w/{name}"), "--test-threads", "2"])
            .output();
        // A copy that stays behind costs nothing but room.
        let _ = std::fs::remove_file(&inside);
        let output = output.map_err(|e| format!("cannot start bwrap: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let shown = program.file_stem().unwrap_or_default().to_string_lossy();
        let result = text.lines().rfind(|line| line.starts_with("test result:"));
        match result {
            Some(line) if output.status.success() => println!("  wine: {shown}: {line}"),
            _ => return Err(format!("{shown} ended with {}\n{text}", output.status)),
        }
    }
    Ok(())
}

/// The folder with Wine in it.
pub(crate) struct Wine {
    root: PathBuf,
}

impl Wine {
    /// Makes folder and prefix, or takes those that are there.
    pub(crate) fn prepare() -> Res<Wine> {
        debian::install(PACKAGES)?;
        let root = sh::cache()?.join("wine-trixie");
        if !root.is_dir() {
            debian::debootstrap("trixie", "--include=wine,wine64,ca-certificates", &root)?;
        }
        sh::make_dir(&root.join("w"))?;
        let wine = Wine { root };
        if !wine.root.join("root/wp/system.reg").exists() {
            println!("making a Wine prefix");
            sh::run_quietly(&mut wine.command(&["wineboot", "-i"]))?;
            sh::run_quietly(&mut wine.command(&["wineserver", "-w"]))?;
        }
        Ok(wine)
    }

    fn arguments(&self) -> Vec<String> {
        let root = self.root.display().to_string();
        let fixed = "--dev /dev --proc /proc --ro-bind /sys /sys --tmpfs /run --bind /tmp /tmp --chdir /w \
            --die-with-parent --clearenv --setenv HOME /root --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin \
            --setenv LANG C.UTF-8 --setenv WINEDEBUG -all --setenv WINEARCH win64 --setenv WINEPREFIX /root/wp \
            --setenv XDG_RUNTIME_DIR /tmp --setenv WINEDLLOVERRIDES mscoree,mshtml=;winemenubuilder.exe=d";
        let bind = ["--bind", &root, "/"].map(str::to_string);
        bind.into_iter()
            .chain(fixed.split_whitespace().map(str::to_string))
            .collect()
    }

    /// A command inside the folder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = sh::cmd("bwrap", &[]);
        command.args(self.arguments()).args(words);
        command
    }

    /// The same on a terminal of its own; what is written to its stdin is typed there.
    /// `script` runs inside, so that ^C reaches the program and not bubblewrap.
    fn on_terminal(&self, words: &[&str]) -> Command {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let mut command = self.command(&[
            "script",
            "-qefc",
            &format!("exec {}", quoted.join(" ")),
            "/dev/null",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// The server under Wine; ends with the prefix's `wineserver -k` at the latest.
struct Running<'a> {
    wine: &'a Wine,
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // All of it fails only when it has ended already.
        let _ = self.wine.command(&["wineserver", "-k"]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// All smoke tests in order; each prints a line.
pub(crate) fn smoke(wine: &Wine, program: &Path, client: &Path) -> Res<()> {
    let name = format!("run-{}", std::process::id());
    let folder = wine.root.join("w").join(&name);
    sh::make_dir(&folder)?;
    let inside = folder.join("redstart-server.exe");
    std::fs::copy(program, &inside).map_err(|e| format!("{}: {e}", program.display()))?;
    std::fs::copy(client, folder.join(CLIENT)).map_err(|e| format!("{}: {e}", client.display()))?;
    let port = server::free_port()?;
    let exe = format!("/w/{name}/redstart-server.exe");
    let log = format!("Z:\\w\\{name}\\log.txt");
    let number = port.to_string();
    let mut command = wine.on_terminal(&[
        "wine",
        &exe,
        "--port",
        &number,
        "--save",
        "",
        "--appendonly",
        "no",
        "--logfile",
        &log,
    ]);
    let child = command
        .spawn()
        .map_err(|e| format!("cannot start `{}`: {e}", sh::shown(&command)))?;
    let mut running = Running {
        wine,
        child,
        port,
        folder,
    };
    let outcome = checks(&mut running);
    outcome.map_err(|text| {
        let log = std::fs::read_to_string(running.folder.join("log.txt")).unwrap_or_default();
        format!("{text}\nthe server's log:\n{log}")
    })
}

fn checks(running: &mut Running) -> Res<()> {
    type Check = fn(u16) -> Res<()>;
    const CHECKS: &[(&str, Check)] = &[
        ("SET and GET", set_and_get),
        ("pipelines", pipelines),
        ("1,000 clients", thousand_clients),
        ("a value of 100 MB", large_value),
    ];
    let start = Instant::now();
    while Client::connect(running.port, DEADLINE)
        .and_then(|mut c| c.ask(&["PING"]))
        .is_err()
    {
        if let Ok(Some(status)) = running.child.try_wait() {
            return Err(format!("the server ended with {status} before it answered"));
        }
        if start.elapsed() > DEADLINE {
            return Err("the server does not answer PING".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("  wine: PING after {:.1} s", start.elapsed().as_secs_f64());
    for (name, check) in CHECKS {
        let start = Instant::now();
        check(running.port).map_err(|e| format!("{name}: {e}"))?;
        println!("  wine: {name} in {:.1} s", start.elapsed().as_secs_f64());
    }
    client(running)?;
    ctrl_c(running)
}

/// The client's name beside the server.
const CLIENT: &str = "redstart-cli.exe";

/// The client with redirected input and output: every byte arrives, errors are told apart.
fn client(running: &Running) -> Res<()> {
    let start = Instant::now();
    let all: Vec<u8> = (0..300_000u32).map(|n| (n % 256) as u8).collect();
    let port = running.port.to_string();
    // Arguments, input; exit code, output, part of the errors.
    type Case<'a> = (&'a [&'a str], &'a [u8], i32, &'a [u8], &'a str);
    let cases: &[Case] = &[
        (&["SET", "k", "a b\u{e4}"], b"", 0, b"OK\n", ""),
        (&["GET", "k"], b"", 0, "a b\u{e4}\n".as_bytes(), ""),
        (
            &["--no-raw", "GET", "k"],
            b"",
            0,
            b"\"a b\\xc3\\xa4\"\n",
            "",
        ),
        (&["-x", "SET", "all"], &all, 0, b"OK\n", ""),
        (&["-D", "", "--raw", "GET", "all"], b"", 0, &all, ""),
        (&[], b"SET n 1\r\nINCR n\nGET n\n", 0, b"OK\n2\n2\n", ""),
        (&["-e", "GET"], b"", 1, b"", "wrong number of arguments"),
        (&["--nonsense"], b"", 1, b"", "Unrecognized option"),
        (
            &["-p", "1", "PING"],
            b"",
            1,
            b"",
            "Could not connect to Redis at 127.0.0.1:1",
        ),
    ];
    let name = running.folder.file_name().unwrap_or_default();
    let exe = format!("/w/{}/{CLIENT}", name.to_string_lossy());
    for (arguments, input, code, output, errors) in cases {
        let words = [&["wine", &exe, "-p", &port], *arguments].concat();
        let mut child = running
            .wine
            .command(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start bwrap: {e}"))?;
        let mut stdin = child.stdin.take().ok_or("no pipe")?;
        // A program that reads nothing may be gone already.
        let _ = stdin.write_all(input);
        drop(stdin);
        let got = child.wait_with_output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&got.stderr);
        if got.status.code() != Some(*code) || got.stdout != *output || !said.contains(errors) {
            return Err(format!(
                "redstart-cli.exe {arguments:?} ended with {}, wrote {} bytes and said {said:?}",
                got.status,
                got.stdout.len()
            ));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "  wine: redstart-cli, {} runs in {seconds:.1} s",
        cases.len()
    );
    Ok(())
}

fn expect(reply: &Reply, wanted: &Reply) -> Res<()> {
    if reply == wanted {
        Ok(())
    } else {
        Err("an unexpected reply".into())
    }
}

fn ok() -> Reply {
    Reply::Simple(b"OK".to_vec())
}

fn set_and_get(port: u16) -> Res<()> {
    let mut client = Client::connect(port, DEADLINE)?;
    expect(&client.ask(&["SET", "k", "a\r\nb"])?, &ok())?;
    expect(
        &client.ask(&["GET", "k"])?,
        &Reply::Bulk(b"a\r\nb".to_vec()),
    )
}

/// A hundred rounds of a thousand requests, written at once.
fn pipelines(port: u16) -> Res<()> {
    let mut client = Client::connect(port, DEADLINE)?;
    expect(&client.ask(&["SET", "n", "0"])?, &ok())?;
    let mut request = Vec::new();
    (0..1000).for_each(|_| encode(&mut request, &["INCR", "n"]));
    for round in 0..100 {
        client.send_raw(&request)?;
        for index in 1..=1000 {
            let reply = client.read().map_err(|lost| lost.to_string())?;
            expect(
                &reply,
                &Reply::Integer((round * 1000 + index).to_string().into_bytes()),
            )?;
        }
    }
    Ok(())
}

fn thousand_clients(port: u16) -> Res<()> {
    let mut clients: Vec<Client> = (0..1000)
        .map(|_| Client::connect(port, DEADLINE))
        .collect::<Res<_>>()?;
    for (index, client) in clients.iter_mut().enumerate() {
        client.send(&["SET", &format!("client:{index}"), &index.to_string()])?;
    }
    for client in &mut clients {
        expect(&client.read().map_err(|lost| lost.to_string())?, &ok())?;
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let reply = client.ask(&["GET", &format!("client:{index}")])?;
        expect(&reply, &Reply::Bulk(index.to_string().into_bytes()))?;
    }
    Ok(())
}

fn large_value(port: u16) -> Res<()> {
    let mut client = Client::connect(port, DEADLINE)?;
    let value: Vec<u8> = (0..100_000_000u32).map(|n| (n % 251) as u8).collect();
    expect(&client.ask(&[b"SET".as_slice(), b"large", &value])?, &ok())?;
    expect(&client.ask(&["GET", "large"])?, &Reply::Bulk(value))
}

/// Types ^C at the server's console; it must end by itself, with exit code 0.
fn ctrl_c(running: &mut Running) -> Res<()> {
    let start = Instant::now();
    let stdin = running
        .child
        .stdin
        .as_mut()
        .ok_or("the terminal has no stdin")?;
    stdin
        .write_all(b"\x03")
        .and_then(|()| stdin.flush())
        .map_err(|e| format!("cannot type ^C: {e}"))?;
    while start.elapsed() < DEADLINE {
        if let Ok(Some(status)) = running.child.try_wait() {
            println!(
                "  wine: Ctrl-C, ended with {status} in {:.1} s",
                start.elapsed().as_secs_f64()
            );
            return match status.success() {
                true => Ok(()),
                false => Err(format!("after Ctrl-C the server ended with {status}")),
            };
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the server does not end on Ctrl-C".into())
}
