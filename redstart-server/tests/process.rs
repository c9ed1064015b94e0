//! The process from outside: command line, log, background, supervisors, title, stop. POSIX systems.

mod common;

use common::{Client, Process, free_port, kill, program, read, run, until};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A setting of the process that /proc shows; empty where there is no /proc.
fn proc_file(pid: u32, name: &str) -> String {
    read(Path::new(&format!("/proc/{pid}/{name}")))
}

#[test]
fn answers_questions() {
    for word in ["-v", "--version"] {
        let output = run(&[word]);
        assert!(output.status.success());
        let line = text(&output.stdout);
        assert!(
            line.starts_with("Redis server v=7.2.4 sha=") && line.contains(" bits=64 build="),
            "{line}"
        );
    }
    assert!(text(&run(&["--help"]).stdout).starts_with("Usage:"));
    let tested = run(&["--test-memory", "1"]);
    assert!(
        tested.status.success() && text(&tested.stdout).contains("passed"),
        "{tested:?}"
    );
    assert_eq!(run(&["--test-memory"]).status.code(), Some(1));
}

#[test]
fn a_wrong_configuration_is_named_by_line_and_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a b.conf");
    std::fs::write(&file, "# fine\nport 1\nhz many\n").expect("a small file");
    let path = file.to_str().expect("UTF-8");
    for words in [
        vec![path],
        vec![path, "--check-config"],
        vec!["--check-config", path],
    ] {
        let output = run(&words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let errors = text(&output.stderr);
        assert!(
            errors.contains("*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***")
                && errors.contains("Reading the configuration file, at line 3\n>>> 'hz many'\n")
                && errors.contains("argument couldn't be parsed into an integer"),
            "{errors}"
        );
    }
    std::fs::write(&file, "port 1\n").expect("a small file");
    let output = run(&[path, "--check-config"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "Configuration OK\n".to_owned())
    );
    let missing = run(&["/no/such/file.conf"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("'/no/such/file.conf': No such file or directory"),
        "{missing:?}"
    );
}

#[test]
fn failures_of_the_start_have_codes_of_their_own() {
    let taken = Process::start(&[]);
    let port = taken.port.to_string();
    let second = run(&["--port", &port]);
    assert_eq!(second.status.code(), Some(4), "{second:?}");
    let log = text(&second.stdout);
    assert!(
        log.contains(&format!("Failed listening on port {port} (tcp), aborting.")),
        "{log}"
    );
    let log = run(&["--logfile", "/no/such/folder/log"]);
    assert_eq!(log.status.code(), Some(1));
    assert!(
        text(&log.stderr).contains("'/no/such/folder/log'")
            && text(&log.stderr).contains("No such file or directory"),
        "{log:?}"
    );
    let nowhere = run(&["--port", "0"]);
    assert_eq!(nowhere.status.code(), Some(4), "{nowhere:?}");
}

#[test]
fn configuration_comes_from_file_standard_input_and_options() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("conf");
    std::fs::write(&file, "hz 11\nlfu-decay-time 11\nlfu-log-factor 11\n").expect("a small file");
    let port = free_port();
    let mut child = program()
        .arg(&file)
        .args(["--port", &port.to_string(), "--lfu-log-factor", "13", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(b"lfu-decay-time 12\nlfu-log-factor 12\n")
        .expect("it reads");
    drop(stdin);
    until("the server answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(
        client.ask("CONFIG GET hz lfu-decay-time lfu-log-factor"),
        "hz 11 lfu-decay-time 12 lfu-log-factor 13"
    );
    child
        .kill()
        .and_then(|()| child.wait())
        .expect("our own child");
}

#[test]
fn signals_stop_it_in_order() {
    for (signal, said) in [("TERM", "Received SIGTERM"), ("INT", "Received SIGINT")] {
        let mut server = Process::start(&["--pidfile", "pid"]);
        until("the pid file", || {
            read(&server.path("pid")) == format!("{}\n", server.child.id())
        });
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        let log = server.log();
        assert!(log.contains(said) && log.contains("bye bye..."), "{log}");
        assert!(!server.path("pid").exists());
    }
}

#[test]
fn says_what_suites_wait_for() {
    let server = Process::start(&["--always-show-logo", "yes"]);
    until("it is ready", || {
        server.log().contains("Ready to accept connections tcp")
    });
    let (log, pid) = (server.log(), server.child.id());
    for part in [
        "* oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n",
        "* Server initialized\n",
        "* monotonic clock: ",
        &format!(" PID: {pid}\n"),
        &format!("{pid}:M "),
    ] {
        assert!(log.contains(part), "{part:?} in\n{log}");
    }
    let plain = Process::start(&[]);
    until("the mode", || {
        plain.log().contains("Running mode=standalone, port=")
    });
}

#[test]
fn runs_in_the_background() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let output = program()
        .args([
            "--port",
            &port.to_string(),
            "--daemonize",
            "yes",
            "--pidfile",
            "pid",
            "--logfile",
            "log",
        ])
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    until("the pid file", || {
        !read(&folder.path().join("pid")).is_empty()
    });
    let pid: u32 = read(&folder.path().join("pid"))
        .trim()
        .parse()
        .expect("a number");
    until("the server answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    // Fields 5 and 6 behind the name: process group and session.
    let stat = proc_file(pid, "stat");
    if let Some((_, fields)) = stat.rsplit_once(") ") {
        let fields: Vec<&str> = fields.split(' ').collect();
        assert_eq!(
            (fields[3], fields[4]),
            (&*pid.to_string(), "0"),
            "a session of its own, no terminal"
        );
    }
    kill("TERM", pid);
    until("the pid file is gone", || {
        !folder.path().join("pid").exists()
    });
    assert!(read(&folder.path().join("log")).contains("bye bye"));
}

#[test]
fn tells_systemd() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a new socket");
    socket
        .set_read_timeout(Some(common::DEADLINE))
        .expect("a timeout");
    for mode in ["systemd", "auto"] {
        let mut server =
            Process::start_with(&["--supervised", mode, "--daemonize", "yes"], |command| {
                command.env("NOTIFY_SOCKET", &path);
            });
        let next = || {
            let mut bytes = [0; 256];
            let n = socket.recv(&mut bytes).expect("a message");
            text(&bytes[..n])
        };
        assert_eq!(next(), "STATUS=Ready to accept connections\nREADY=1\n");
        server.signal("TERM");
        assert_eq!(
            server.wait().code(),
            Some(0),
            "supervised means: not in the background"
        );
        assert_eq!(next(), "STOPPING=1\n");
    }
}

#[test]
fn shows_its_title() {
    let server = Process::start(&[
        "--proc-title-template",
        "TEST {port} {listen-addr} {config-file}!",
    ]);
    let pid = server.child.id();
    let title = || proc_file(pid, "cmdline").trim_end_matches('\0').to_owned();
    let port = server.port;
    until("the title", || {
        title() == format!("TEST {port} 127.0.0.1:{port} !")
    });
    assert_eq!(
        server.ask("CONFIG SET proc-title-template 'now {title}'"),
        "+OK"
    );
    assert!(
        title().starts_with("now ") && title().ends_with("redstart-server"),
        "{}",
        title()
    );
    assert!(
        server
            .ask("CONFIG SET proc-title-template {x}")
            .contains("template format is invalid")
    );
    // The environment has moved, not gone: the title may be longer than the arguments were.
    let long = "x".repeat(300);
    assert_eq!(
        server.ask(&format!("CONFIG SET proc-title-template {long}")),
        "+OK"
    );
    assert_eq!(title(), long);
    let plain = Process::start(&["--set-proc-title", "no"]);
    assert!(proc_file(plain.child.id(), "cmdline").contains("--set-proc-title\0no"));
}

#[test]
fn tells_the_kernel_whom_to_kill() {
    let server = Process::start(&[]);
    let score = || {
        proc_file(server.child.id(), "oom_score_adj")
            .trim()
            .parse::<i32>()
            .expect("a number")
    };
    let base = score();
    let higher = (base + 50).min(1000);
    assert_eq!(
        server.ask(&format!(
            "CONFIG SET oom-score-adj absolute oom-score-adj-values '{higher} 200 800'"
        )),
        "+OK"
    );
    assert_eq!(score(), higher);
    assert_eq!(
        server.ask("CONFIG SET oom-score-adj relative oom-score-adj-values '1 200 800'"),
        "+OK"
    );
    assert_eq!(score(), (base + 1).min(1000));
    assert_eq!(server.ask("CONFIG SET oom-score-adj no"), "+OK");
    assert_eq!(score(), base);
}

#[test]
fn the_log_changes_its_form_and_level() {
    let server = Process::start(&[
        "--logfile",
        "file",
        "--log-format",
        "logfmt",
        "--log-timestamp-format",
        "milliseconds",
    ]);
    let file = || read(&server.path("file"));
    until("it is ready", || file().contains("Ready to accept"));
    let line = file().lines().last().expect("a line").to_owned();
    assert!(
        line.starts_with(&format!(
            "pid={} role=primary timestamp=\"1",
            server.child.id()
        )),
        "{line}"
    );
    assert!(
        line.contains("level=notice message=\"Ready to accept connections tcp\""),
        "{line}"
    );
    assert_eq!(
        server.ask("CONFIG SET loglevel verbose log-format legacy log-timestamp-format iso8601"),
        "+OK"
    );
    drop(Client::connect(server.address()));
    until("verbose lines", || {
        file()
            .lines()
            .any(|line| line.contains(" - ") && line.contains('T'))
    });
    assert_eq!(server.ask("CONFIG SET loglevel nothing"), "+OK");
    std::fs::rename(server.path("file"), server.path("file.1")).expect("free to be renamed");
    drop(Client::connect(server.address()));
    assert_eq!(
        server.ask("CONFIG SET loglevel debug log-format json"),
        "+OK"
    );
    drop(Client::connect(server.address()));
    until("a new file", || {
        file().lines().any(|line| line.starts_with("{\"pid\":"))
    });
}

#[test]
fn the_folder_changes_where_it_is_allowed() {
    let server = Process::start(&["--enable-protected-configs", "yes"]);
    let inner = server.path("inner");
    std::fs::create_dir(&inner).expect("a new folder");
    assert_eq!(server.ask("CONFIG SET dir inner"), "+OK");
    let real = std::fs::canonicalize(&inner).expect("it is there");
    assert_eq!(
        server.ask("CONFIG GET dir"),
        format!("dir {}", real.display())
    );
    let refused = server.ask("CONFIG SET dir nowhere");
    assert_eq!(
        refused,
        "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory"
    );
    let strict = Process::start(&[]);
    assert!(
        strict
            .ask("CONFIG SET dir /")
            .contains("can't set protected config")
    );
}

#[test]
fn rewrites_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("redis.conf");
    std::fs::write(&file, "# mine\nhz 20\n").expect("a small file");
    let server = Process::start_with(&[], |command| {
        let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let here = command
            .get_current_dir()
            .expect("set by the harness")
            .to_owned();
        *command = program();
        command
            .arg(&file)
            .args(words)
            .current_dir(here)
            .stdout(Stdio::null());
    });
    assert_eq!(server.ask("CONFIG SET hz 30 maxmemory 2mb"), "+OK");
    assert_eq!(server.ask("CONFIG REWRITE"), "+OK");
    let text = read(&file);
    assert!(
        text.starts_with("# mine\nhz 30\n# Generated by CONFIG REWRITE\n"),
        "{text}"
    );
    assert!(
        text.contains("\nmaxmemory 2mb\n") && text.contains(&format!("\nport {}\n", server.port)),
        "{text}"
    );
    assert!(
        run(&[file.to_str().expect("UTF-8"), "--check-config"])
            .status
            .success()
    );
}

#[test]
fn the_watchdog_needs_no_restart() {
    let server = Process::start(&["--enable-debug-command", "yes", "--watchdog-period", "0"]);
    assert_eq!(server.ask("CONFIG SET watchdog-period 200"), "+OK");
    assert_eq!(
        server.ask("CONFIG GET watchdog-period"),
        "watchdog-period 200"
    );
}

#[test]
fn commands_are_renamed_and_removed() {
    let server = Process::start(&[
        "--rename-command",
        "ECHO",
        "hush",
        "--rename-command",
        "FLUSHALL",
        "",
    ]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("hush x"), "x");
    assert!(client.ask("ECHO x").starts_with("-ERR unknown command"));
    assert!(client.ask("FLUSHALL").starts_with("-ERR unknown command"));
    let wrong = run(&["--rename-command", "nothing", "x"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stderr).contains("No such command in rename-command"),
        "{wrong:?}"
    );
}

#[test]
fn a_background_process_gets_what_standard_input_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let mut child = program()
        .args(["--daemonize", "yes", "--pidfile", "pid", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(format!("port {port}\nhz 33\n").as_bytes())
        .expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("our own child").success());
    until("the server answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.ask("CONFIG GET hz"), "hz 33");
    until("the pid file", || {
        !read(&folder.path().join("pid")).is_empty()
    });
    kill(
        "TERM",
        read(&folder.path().join("pid"))
            .trim()
            .parse()
            .expect("a number"),
    );
    until("the end", || !folder.path().join("pid").exists());
}
