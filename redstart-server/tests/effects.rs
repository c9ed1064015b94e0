//! Parameters whose effect shows outside of the process: sockets, processors, signals, the kernel's
//! books. Part of `server/tests/config_effects.rs`' list. Linux; what a machine does not have is left
//! out with a line that says so, and is a failure in CI.

mod common;

use common::{Client, Process, read, run, until};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_unix_socket_has_its_rights_and_group() {
    let server = Process::start(&[
        "--unixsocket",
        "socket",
        "--unixsocketperm",
        "740",
        "--unixsocketgroup",
        "0",
        "--bind",
        "127.0.0.1",
    ]);
    let path = server.path("socket");
    until("the group", || {
        std::fs::metadata(&path).is_ok_and(|m| m.gid() == 0)
    });
    let mode = std::fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o740);
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream.write_all(b"PING\r\n").expect("it reads");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("it answers");
    assert_eq!(&reply, b"+PONG\r\n");
    until("it says so", || {
        server
            .log()
            .contains("ready to accept connections at socket")
    });
}

/// The timer column of our connections in the kernel's table; `02` is keep-alive.
fn timers(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    read(Path::new("/proc/net/tcp"))
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 5 && fields[1].ends_with(&port) && fields[3] == "01")
        .map(|fields| fields[5][..2].to_owned())
        .collect()
}

#[test]
fn silent_peers_are_probed() {
    let server = Process::start(&["--tcp-keepalive", "0"]);
    let mut first = Client::connect(server.address());
    assert_eq!(first.ask("PING"), "+PONG");
    until("no timer", || timers(server.port) == ["00"]);
    assert_eq!(first.ask("CONFIG SET tcp-keepalive 100"), "+OK");
    let mut second = Client::connect(server.address());
    assert_eq!(second.ask("PING"), "+PONG");
    until("one timer", || {
        timers(server.port).contains(&"02".to_owned())
    });
}

/// `NAME:` of a thread's status, by thread name.
fn of_threads(pid: u32, field: &str) -> Vec<(String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("our child's");
    tasks
        .filter_map(Result::ok)
        .map(|task| {
            let status = read(&task.path().join("status"));
            let value = status
                .lines()
                .find_map(|line| line.strip_prefix(field))
                .unwrap_or_default();
            (
                read(&task.path().join("comm")).trim().to_owned(),
                value.trim().to_owned(),
            )
        })
        .collect()
}

#[test]
fn threads_are_counted_and_bound() {
    let server = Process::start(&[
        "--io-threads",
        "3",
        "--server-cpulist",
        "0",
        "--bio_cpulist",
        "0-0",
    ]);
    let threads = || of_threads(server.child.id(), "Cpus_allowed_list:");
    // A new thread has its parent's name for a moment.
    until("three workers", || {
        threads()
            .iter()
            .filter(|(name, _)| name.starts_with("worker-"))
            .count()
            == 3
    });
    let threads = threads();
    for (name, list) in &threads {
        if name.starts_with("worker-") || name == "purge" {
            assert_eq!(list, "0", "{name}");
        }
    }
    assert!(threads.iter().any(|(name, _)| name == "purge"));
    let wrong = Process::start(&["--server-cpulist", "x"]);
    until("a warning", || {
        wrong
            .log()
            .contains("server-cpulist has no effect: 'x' is not a list of processors")
    });
}

#[test]
fn saves_run_on_their_processors() {
    let server = Process::start(&["--io-threads", "1", "--bgsave_cpulist", "0"]);
    assert_eq!(server.ask("SET k v"), "+OK");
    assert_eq!(server.ask("CONFIG SET rdb-key-save-delay 100000000"), "+OK");
    assert_eq!(server.ask("BGSAVE"), "+Background saving started");
    let savers = || {
        let mut threads = of_threads(server.child.id(), "Cpus_allowed_list:");
        threads.retain(|(name, list)| name.starts_with("save") && list == "0");
        threads.len()
    };
    until("the saver and its encoder", || savers() == 2);
    let wrong = Process::start(&["--bgsave-cpulist", "x"]);
    assert_eq!(wrong.ask("SAVE"), "+OK");
    assert!(wrong.log().contains("bgsave-cpulist has no effect"));
}

/// What this machine lacks for a test: said, and in CI, which has it, a failure.
fn left_out(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI has no {what}");
    eprintln!("left out: this machine has no {what}");
}

/// Starts a server after `prepare`, a piece of shell, in a mount namespace of its own; `None` where the
/// system grants none. `$0` is the server's folder.
fn start_in_own_mounts(prepare: &str, options: &[&str]) -> Option<Process> {
    let flags = [&["--mount"][..], &["--mount", "--map-root-user"]];
    let is_granted = |flags: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**flags).arg("true");
        command.output().is_ok_and(|done| done.status.success())
    };
    let Some(flags) = flags.iter().find(is_granted) else {
        left_out("mount namespace to give (unshare --mount)");
        return None;
    };
    let script = format!("set -e; {prepare}; exec \"$@\"");
    Some(Process::start_with(options, |command| {
        let folder = command.get_current_dir().expect("set by the harness");
        let log = std::fs::File::options()
            .append(true)
            .open(folder.join("log"))
            .expect("the log");
        let mut unshare = Command::new("unshare");
        unshare
            .args(*flags)
            .args(["sh", "-c", &script])
            .arg(folder)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        *command = unshare;
    }))
}

/// In a world in which the kernel hands out huge pages unasked; what it then does with us is its own
/// word in `/proc`.
#[test]
fn huge_pages_are_switched_off() {
    const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    if !Path::new(SETTING).exists() {
        return left_out("kernel with huge pages");
    }
    let prepare =
        format!("echo '[always] madvise never' > always; mount --bind \"$0\"/always {SETTING}");
    for (value, enabled) in [("yes", "0"), ("no", "1")] {
        let Some(server) = start_in_own_mounts(&prepare, &["--disable-thp", value]) else {
            return;
        };
        until("it is ready", || server.log().contains("Ready"));
        // A small server has none anyway; from eight megabytes on it would.
        assert_eq!(server.ask("SETRANGE k 20000000 x"), ":20000001");
        let threads = of_threads(server.child.id(), "THP_enabled:");
        assert!(
            threads.iter().all(|(_, field)| field == enabled),
            "{value}: {threads:?}"
        );
        assert_eq!(
            server.log().contains("Transparent Huge Pages"),
            value == "no"
        );
    }
}

/// What the kernel's tables say of the socket that listens at `port`.
fn listener(port: u16) -> Option<String> {
    let filter = format!("sport = :{port}");
    let shown = Command::new("ss")
        .args(["-H", "-t", "-l", "-n", "-e", &filter])
        .output();
    match shown {
        Ok(shown) if shown.status.success() => {
            Some(String::from_utf8_lossy(&shown.stdout).into_owned())
        }
        _ => {
            left_out("ss (iproute2)");
            None
        }
    }
}

#[test]
fn the_kernel_keeps_so_many_newcomers_waiting() {
    for backlog in [7, 99] {
        let server = Process::start(&["--tcp-backlog", &backlog.to_string()]);
        let Some(line) = listener(server.port) else {
            return;
        };
        // State, connections that wait, how many may.
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        assert_eq!(fields.get(2), Some(&&*backlog.to_string()), "{line}");
    }
}

#[test]
fn sockets_are_marked_for_the_firewall() {
    let server = Process::start(&["--socket-mark-id", "77"]);
    let Some(line) = listener(server.port) else {
        return;
    };
    if server.log().contains("socket-mark-id") || !line.contains("fwmark:") {
        return left_out("right to mark sockets (CAP_NET_ADMIN)");
    }
    assert!(line.contains("fwmark:0x4d"), "{line}");
    let plain = Process::start(&[]);
    let line = listener(plain.port).expect("there was one a moment ago");
    assert!(!line.contains("fwmark:"), "{line}");
}

/// The default is loopback, is known as the default, and can be taken away.
#[test]
fn nobody_but_this_machine_by_default() {
    let server = Process::start_with(&["--enable-protected-configs", "yes"], |command| {
        let folder = command.get_current_dir().expect("set by the harness");
        std::fs::write(folder.join("conf"), "loglevel verbose\n").expect("a file");
        let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut with_file = Command::new(command.get_program());
        with_file
            .arg("conf")
            .args(words)
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .stdout(std::fs::File::create(folder.join("log")).expect("the log"));
        *command = with_file;
    });
    let binds = || {
        let text = read(&server.path("conf"));
        text.lines().filter(|l| l.starts_with("bind")).count()
    };
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("CONFIG GET bind"), "bind 127.0.0.1 -::1");
    assert_eq!(client.ask("CONFIG REWRITE"), "+OK");
    assert_eq!(binds(), 0, "a default is not written");
    assert_eq!(client.ask("CONFIG SET bind ''"), "+OK");
    assert_eq!(client.ask("CONFIG GET bind"), "bind ");
    until("nobody listens", || {
        TcpStream::connect(server.address()).is_err()
    });
    assert_eq!(client.ask("CONFIG REWRITE"), "+OK");
    assert_eq!(binds(), 1, "no address at all is none");
    assert_eq!(client.ask("CONFIG SET bind 127.0.0.1"), "+OK");
    assert_eq!(server.ask("PING"), "+PONG");
}

#[test]
fn warnings_can_be_ignored() {
    let found = run(&["--check-system"]);
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let names: Vec<&str> = found
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.split_once(']'))
        .map(|(n, _)| n)
        .collect();
    let warned = |options: &[&str]| {
        let server = Process::start(options);
        until("it is ready", || server.log().contains("Ready"));
        server.log().matches("# WARNING ").count()
    };
    let all = names.join(" ");
    let ignoring = warned(&[
        "--ignore-warnings",
        &all,
        "--disable-thp",
        "no",
        "--tcp-backlog",
        "1",
    ]);
    assert_eq!(ignoring, 0);
    assert_eq!(
        warned(&["--disable-thp", "no", "--tcp-backlog", "1"]),
        names.len()
    );
}

#[test]
fn a_client_that_does_not_read_delays_the_end_for_so_long() {
    let mut server = Process::start(&["--shutdown-timeout", "1"]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("SETRANGE k 50000000 x"), ":50000001");
    client.send(&"GET k\r\n".repeat(5));
    // The replies are under way and will not be read.
    until("a part has come", || client.has_more());
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(800)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
}

#[test]
fn signals_mean_what_is_configured() {
    for (parameter, signal) in [
        ("shutdown-on-sigterm", "TERM"),
        ("shutdown-on-sigint", "INT"),
    ] {
        let mut server = Process::start(&[&format!("--{parameter}"), "nosave", "now"]);
        assert_eq!(
            server.ask(&format!("CONFIG GET {parameter}")),
            format!("{parameter} nosave now")
        );
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert!(server.log().contains("(nosave, now)"), "{}", server.log());
    }
}

#[test]
fn freed_memory_goes_back() {
    let server = Process::start(&["--jemalloc-bg-thread", "yes", "--io-threads", "2"]);
    let resident = || {
        let status = of_threads(server.child.id(), "VmRSS:");
        status[0]
            .1
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("a number")
    };
    let before = resident();
    let mut client = Client::connect(server.address());
    for at in 0..100 {
        client.ask(&format!("SETRANGE k{at} 1000000 x"));
        // Zeros that nobody has written take no memory.
        client.ask(&format!("BITOP NOT k{at} k{at}"));
    }
    assert!(resident() > before + 80_000, "{before} {}", resident());
    assert_eq!(client.ask("FLUSHALL"), "+OK");
    until("the memory is back", || resident() < before + 40_000);
}

#[test]
fn what_clients_sent_is_hidden_where_that_is_wanted() {
    for (value, shown) in [("yes", "*redacted*"), ("no", "$3000000")] {
        let server = Process::start(&[
            "--client-query-buffer-limit",
            "1mb",
            "--hide-user-data-from-log",
            value,
        ]);
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        let mut request = b"*2\r\n$4\r\nECHO\r\n$3000000\r\n".to_vec();
        request.resize(2_000_000, b'x');
        // The server may close while we are still writing.
        let _ = stream.write_all(&request);
        until("it is closed", || {
            server
                .log()
                .contains("Closing client that reached max query buffer length")
        });
        assert_eq!(
            server.log().contains("*redacted*"),
            value == "yes",
            "{shown} in {}",
            server.log()
        );
    }
}

#[test]
fn one_seed_makes_one_order() {
    let order = |seed: &str| {
        let server = Process::start(&["--hash-seed", seed]);
        let mut client = Client::connect(server.address());
        for at in 0..50 {
            assert_eq!(client.ask(&format!("SET key:{at} v")), "+OK");
        }
        client.ask("SCAN 0 COUNT 1000000")
    };
    let first = order("apple");
    assert_eq!(first, order("apple"));
    assert_ne!(first, order("pear"));
}

/// `/dev` of its own, in which the system's log is a socket of ours.
#[test]
fn lines_go_to_the_system_log_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(common::DEADLINE))
        .expect("a timeout");
    let prepare = format!(
        "mount -t tmpfs tmpfs /dev; ln -s '{}' /dev/log",
        path.display()
    );
    let options = [
        "--syslog-enabled",
        "yes",
        "--syslog-ident",
        "ours",
        "--syslog-facility",
        "local5",
    ];
    let Some(server) = start_in_own_mounts(&prepare, &options) else {
        return;
    };
    let mut bytes = [0; 2048];
    let n = socket.recv(&mut bytes).expect("a line");
    let line = String::from_utf8_lossy(&bytes[..n]).into_owned();
    // local5 is 21; a notice is 5.
    assert!(line.starts_with(&format!("<{}>", 21 * 8 + 5)), "{line}");
    assert!(
        line.contains(&format!(" ours[{}]: ", server.child.id())),
        "{line}"
    );
}
