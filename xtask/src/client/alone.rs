//! What has no twin, or no end: the prompt on a terminal, replication from a real server, strangers.

use crate::wire::Client;
use crate::{Res, server, sh};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn run(cli: &Path) -> Res<()> {
    let reference = sh::which("redis-server").ok_or("there is no redis-server")?;
    let options = [server::VOLATILE, super::LOOPBACK].concat();
    let process = server::Server::start(&reference, &options)?;
    type Check = fn(&Path, &server::Server) -> Res<()>;
    const CHECKS: &[(&str, Check)] = &[
        ("the prompt on a terminal", terminal),
        ("--rdb and --functions-rdb", rdb),
        ("--replica", replica),
        ("strangers", |cli, _| strangers(cli)),
        ("the start", |cli, _| start(cli)),
    ];
    for (name, check) in CHECKS {
        let begin = Instant::now();
        check(cli, &process).map_err(|text| format!("{name}: {text}"))?;
        println!("  client: {name} in {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A child that does not outlive the check.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Gathers what a pipe gives until `wanted` is in it.
fn wait_for(pipe: &mut impl std::io::Read, text: &mut String, wanted: &str) -> Res<()> {
    let begin = Instant::now();
    let mut piece = [0; 4096];
    while !text.contains(wanted) {
        let count = pipe.read(&mut piece).map_err(|e| e.to_string())?;
        text.push_str(&String::from_utf8_lossy(&piece[..count]));
        if count == 0 || begin.elapsed() > DEADLINE {
            return Err(format!("{wanted:?} does not come, only {text:?}"));
        }
    }
    Ok(())
}

/// Prompts, hints, completion, MULTI, a history without passwords that nobody else may read.
fn terminal(cli: &Path, process: &server::Server) -> Res<()> {
    let folder = sh::work("client")?;
    let history = folder.join("history");
    // It may be there from an earlier run.
    let _ = std::fs::remove_file(&history);
    let port = process.port();
    let line = format!("exec '{}' -p {port}", absolute(cli)?);
    let mut command = Command::new("script");
    command
        .args(["-qefc", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env("REDISCLI_HISTFILE", &history)
        .env("REDISCLI_RCFILE", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = Ended(command.spawn().map_err(|e| format!("script: {e}"))?);
    let mut keys = child.0.stdin.take().ok_or("no pipe")?;
    let mut screen = child.0.stdout.take().ok_or("no pipe")?;
    let mut step = |typed: &str, wanted: &str| {
        let mut text = String::new();
        keys.write_all(typed.as_bytes())
            .and_then(|()| keys.flush())
            .map_err(|e| e.to_string())?;
        wait_for(&mut screen, &mut text, wanted)
    };
    step("", &format!("127.0.0.1:{port}> "))?;
    step("set ", "key value [NX|XX]")?;
    step("k 7\r", "OK")?;
    step("multi\r", "(TX)> ")?;
    step("incr k\r", "QUEUED")?;
    step("exec\r", "(integer) 8")?;
    step("HGETAL\t", "HGETALL")?;
    step(" k\r", "WRONGTYPE")?;
    step("select 2\r", "[2]> ")?;
    step("auth secret-word\r", "ERR")?;
    step("subscribe c\r", "Reading messages")?;
    step("\x03", "[2]> ")?;
    step("help @hyperloglog\r", "PFMERGE")?;
    keys.write_all(b"quit\r").map_err(|e| e.to_string())?;
    let status = child.0.wait().map_err(|e| e.to_string())?;
    let kept = sh::read(&history)?;
    if !status.success() || !kept.contains("set k 7\n") || kept.contains("secret-word") {
        return Err(format!("it ended with {status}, the history is {kept:?}"));
    }
    private(&history)
}

fn private(path: &Path) -> Res<()> {
    let listed = sh::capture(sh::cmd("stat", &["-c", "%a"]).arg(path))?;
    match listed.trim() {
        "600" => Ok(()),
        other => Err(format!("{} has mode {other}", path.display())),
    }
}

fn absolute(path: &Path) -> Res<String> {
    let path = std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.display().to_string())
}

/// From a primary that has a file and from one that sends while it makes one.
fn rdb(cli: &Path, process: &server::Server) -> Res<()> {
    let mut client = Client::connect(process.port(), DEADLINE)?;
    client.ask(&["FLUSHALL"])?;
    client.ask(&["DEBUG", "POPULATE", "5000", "key", "500"])?;
    let library = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
    client.ask(&["FUNCTION", "LOAD", "REPLACE", library])?;
    client.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
    let file = sh::work("client")?.join("got.rdb");
    for diskless in ["no", "yes"] {
        client.ask(&["CONFIG", "SET", "repl-diskless-sync", diskless])?;
        for (flag, keys) in [("--rdb", "5000"), ("--functions-rdb", "0")] {
            let output = Command::new(cli)
                .args(["-p", &process.port().to_string(), flag])
                .arg(&file)
                .output()
                .map_err(|e| e.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr);
            if !output.status.success() || !said.contains("Transfer finished with success") {
                return Err(format!("{flag}, diskless {diskless}: {said}"));
            }
            let check = sh::capture(sh::cmd("redis-check-rdb", &[]).arg(&file))?;
            let (read, whole) = (format!("{keys} keys read"), "RDB looks OK!");
            if !check.contains(&read) || !check.contains(whole) {
                return Err(format!("{flag}, diskless {diskless}: {check}"));
            }
        }
    }
    Ok(())
}

/// Both ways again; writes show up as they are made.
fn replica(cli: &Path, process: &server::Server) -> Res<()> {
    let mut client = Client::connect(process.port(), DEADLINE)?;
    for diskless in ["no", "yes"] {
        client.ask(&["CONFIG", "SET", "repl-diskless-sync", diskless])?;
        let mut command = Command::new(cli);
        command
            .args(["-p", &process.port().to_string(), "--replica"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Ended(command.spawn().map_err(|e| e.to_string())?);
        let mut errors = child.0.stderr.take().ok_or("no pipe")?;
        wait_for(
            &mut errors,
            &mut String::new(),
            "Logging commands from master",
        )?;
        client.ask(&["SET", "k", "a\nb"])?;
        let mut stream = child.0.stdout.take().ok_or("no pipe")?;
        wait_for(&mut stream, &mut String::new(), "\"SET\",\"k\",\"a\\nb\"\n")?;
        client.ask(&["CLIENT", "KILL", "TYPE", "replica"])?;
        wait_for(
            &mut errors,
            &mut String::new(),
            "Server closed the connection",
        )?;
    }
    Ok(())
}

/// What the client sends first.
const PING: &[u8] = b"*1\r\n$4\r\nping\r\n";

/// Whatever a server sends, the program ends by itself with 1 and says why.
fn strangers(cli: &Path) -> Res<()> {
    let deep = b"*1\r\n".repeat(100_000);
    let replies: &[(&[u8], &str)] = &[
        (b"", "Server closed the connection"),
        (b"$100\r\nabc", "Server closed the connection"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "got \"H\" as reply type byte",
        ),
        (b"*4294967295\r\n:1\r\n", "Server closed the connection"),
        (b"*99999999999\r\n", "Protocol error"),
        (b"$99999999999999999999\r\n", "Protocol error"),
        (b":\xff\r\n", "Protocol error"),
        (&deep, "Protocol error"),
    ];
    for (reply, wanted) in replies {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let reply = reply.to_vec();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut request = [0; PING.len()];
            stream.read_exact(&mut request)?;
            stream.write_all(&reply)
        });
        let output = Command::new(cli)
            .args(["-p", &port.to_string(), "ping"])
            .output()
            .map_err(|e| e.to_string())?;
        // The client may hang up in the middle.
        let _ = server.join();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(1) || !said.contains(wanted) {
            let status = output.status;
            return Err(format!(
                "{wanted:?}: it ended with {status} and said {said:?}"
            ));
        }
    }
    Ok(())
}

/// The best of ten starts, because the machine may be busy: below 10 ms.
fn start(cli: &Path) -> Res<()> {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let begin = Instant::now();
        sh::capture(&mut sh::cmd(cli, &["--version"]))?;
        best = best.min(begin.elapsed());
    }
    match best < Duration::from_millis(10) {
        true => Ok(()),
        false => Err(format!("it takes {best:?}")),
    }
}
