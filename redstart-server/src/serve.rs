//! From a configuration to a server that serves, and to its end.
//!
//! ```text
//!   load ─▶ background? ─▶ dir ─▶ log ─▶ limits, title, kernel ─▶ workers ─▶ pid file ─▶ data ─▶ ready
//!                                                                                                  │
//!   exit ◀─ remove pid file ◀─ orderly end ◀──────────────────── stop request, SHUTDOWN ◀──────────┘
//!   or load again, in the same process (DEBUG RESTART)
//! ```
//!
//! The order matters: the folder comes before the log, because the log's name may be relative; all of
//! it before the first thread, because threads inherit the processors that they may run on; listening
//! before the pid file and the word to the supervisor, because both say that we serve.
//!
//! What fails before there is a log is said on standard error; afterwards in both places, unless the
//! log is standard output.
//!
//! Checked by: `tests/process.rs`, `tests/crash.rs`, `tests/refused.rs`.

use crate::banner;
use crate::exit::Exit;
use server::config::{Config, command_line::Sources, reserved_files};
use server::shutdown::ShutdownOptions;
use server::{Server, Start, log};
use std::collections::hash_map::RandomState;
use std::fmt::Display;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Where `--daemonize yes` without `pidfile` puts its number, as Redis does.
const PID_FILE: &str = "/var/run/redis.pid";

/// The server, for those that have no other way to it: crash report and stop requests.
static SERVER: OnceLock<Arc<Server>> = OnceLock::new();

/// Does everything; the error is the exit code of a start that failed.
pub(crate) fn run(sources: &Sources) -> Result<Exit, Exit> {
    let known = server::table::CommandTable::new(&[]).expect("nothing is renamed");
    let config = Config::load(sources, &|name| known.find(name).is_some()).map_err(|fatal| {
        eprint!("{fatal}");
        Exit::Configuration
    })?;
    if sources.check {
        println!("Configuration OK");
        return Ok(Exit::Fine);
    }
    let supervised = Supervised::of(&config);
    let background = config.flag("daemonize") && supervised == Supervised::No;
    if background && !os::process::is_detached() {
        os::process::detach(config.stdin()).map_err(|e| {
            eprintln!(
                "Can't start in the background: {}",
                os::files::error_text(&e)
            );
            Exit::System
        })?;
        return Ok(Exit::Fine);
    }
    if background {
        os::process::leave_session();
    }
    enter_folder(&config)?;
    open_log(&config)?;
    prepare_for_the_worst(&config);
    announce(&config, sources.given);
    prepare_process(&config);
    let running = start(config)?;
    let server = SERVER.get().expect("set by start");
    let pid_file = write_pid_file(&server.config, background);
    load(server, supervised, pid_file.clone())?;
    let code = running.wait();
    if supervised == Supervised::Systemd {
        tell_systemd("STOPPING=1\n");
    }
    if let Some(file) = pid_file {
        log::notice("Removing the pid file.");
        // It may have been removed by somebody else, and we are going anyway.
        let _ = os::files::remove(&file);
    }
    let restart_after = *server.restart_after.lock();
    if let Some(delay) = restart_after {
        return Ok(begin_anew(delay));
    }
    log::notice("Redis is now ready to exit, bye bye...");
    Ok(if code == 0 { Exit::Fine } else { Exit::System })
}

/// Loads what there is, on a thread of its own, and says that we are ready.
fn load(
    server: &'static Arc<Server>,
    supervised: Supervised,
    pid_file: Option<PathBuf>,
) -> Result<(), Exit> {
    let run = move || match server.load() {
        Ok(true) => say_ready(server, supervised),
        // Somebody wants the end, and that is under way.
        Ok(false) => {}
        Err(_) => {
            if let Some(file) = pid_file {
                // It may have been removed by somebody else.
                let _ = os::files::remove(&file);
            }
            log::flush();
            os::raw::exit_now(Exit::Configuration.code());
        }
    };
    let thread = std::thread::Builder::new().name("loader".into());
    match thread.spawn(run) {
        Ok(_) => Ok(()),
        Err(e) => Err(fail(
            format_args!("Cannot start a thread: {}", os::files::error_text(&e)),
            Exit::System,
        )),
    }
}

/// DEBUG RESTART: the same program with the same words, in this process where the system has that.
fn begin_anew(delay: std::time::Duration) -> Exit {
    log::notice("Redis begins anew.");
    log::flush();
    std::thread::sleep(delay);
    match os::process::restart() {
        Ok(()) => Exit::Fine,
        Err(e) => fail(
            format_args!("Can't restart: {}", os::files::error_text(&e)),
            Exit::System,
        ),
    }
}

/// Who watches over us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervised {
    No,
    Systemd,
    Upstart,
}

impl Supervised {
    /// `supervised`, and what the environment shows. The words are logged by [`announce`].
    fn of(config: &Config) -> Supervised {
        use os::process::Supervisor;
        let found = os::process::supervisor();
        match (&*config.string("supervised"), found) {
            ("systemd" | "auto", Some(Supervisor::Systemd)) => Supervised::Systemd,
            ("upstart" | "auto", Some(Supervisor::Upstart)) => Supervised::Upstart,
            _ => Supervised::No,
        }
    }
}

/// A failure of the start, where people look for it.
fn fail(text: impl Display, exit: Exit) -> Exit {
    log::warning(&text);
    if log::is_elsewhere() {
        eprintln!("{text}");
    }
    exit
}

fn enter_folder(config: &Config) -> Result<(), Exit> {
    let folder = config.string("dir");
    config.enter_dir().map_err(|why| {
        let account = os::process::account();
        fail(
            format_args!("Can't chdir to '{folder}' as {account}: {why}"),
            Exit::Folder,
        )
    })
}

fn open_log(config: &Config) -> Result<(), Exit> {
    match config.path("logfile") {
        None => log::open_stdout(),
        Some(file) => log::open_file(&file).map_err(|e| {
            let (why, account) = (os::files::error_text(&e), os::process::account());
            eprintln!(
                "Can't open the log file '{}' as {account}: {why}",
                file.display()
            );
            Exit::Configuration
        })?,
    }
    log::set_style(config.log_style());
    if config.flag("syslog-enabled") {
        log::open_syslog(
            &config.string("syslog-ident"),
            config.choice("syslog-facility"),
        );
    }
    Ok(())
}

/// Crash report, refused memory, watchdog: before anything can go wrong.
fn prepare_for_the_worst(config: &Config) {
    os::crash::install(os::crash::Program {
        name: "Redis 7.2.4",
        sections: crash_sections,
    });
    config.apply_crash_log();
    os::alloc::on_refused(|line| {
        // The log may be held by this very thread, so it is written past.
        os::crash::write_line(line);
    });
    os::watchdog::set_report(|line| log::warning(line));
    let period_ms = u64::try_from(config.number("watchdog-period")).unwrap_or(0);
    let (purge, list) = (
        config.flag("jemalloc-bg-thread"),
        config.string("bio-cpulist"),
    );
    // Threads inherit the processors of the one that starts them, so a thread with those of
    // `bio-cpulist` starts the helpers.
    let helpers = std::thread::spawn(move || {
        let bound = if list.is_empty() {
            Ok(())
        } else {
            os::affinity::bind_thread(&list)
        };
        os::watchdog::set_period(period_ms);
        os::alloc::set_background_purge(purge);
        bound
    });
    if let Ok(Err(why)) = helpers.join() {
        log::warning(format_args!("bio-cpulist has no effect: {why}"));
    }
}

/// What the server adds to a crash report; takes no lock that it would have to wait for.
fn crash_sections(put: os::crash::Put<'_>) {
    if let Some(server) = SERVER.get() {
        server::crash::report(server, put);
    }
}

fn announce(config: &Config, has_arguments: bool) {
    log::notice("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log::notice(format_args!(
        "Redis version={}, bits={}, commit={}, modified=0, pid={}, just started (Redstart {})",
        server::REDIS_VERSION,
        usize::BITS,
        server::version::COMMIT,
        std::process::id(),
        server::VERSION,
    ));
    if has_arguments {
        log::notice("Configuration loaded");
    } else {
        log::warning(format_args!(
            "Warning: no config file specified, using the default config. In order to specify a config file use {} /path/to/redis.conf",
            os::process::program_name()
        ));
    }
    for (name, why) in &config.directives().retired {
        log::warning(format_args!("The directive '{name}' is ignored: {why}."));
    }
    for (what, lines) in [
        ("user", &config.directives().users),
        ("loadmodule", &config.directives().modules),
    ] {
        if !lines.is_empty() {
            log::warning(format_args!(
                "{} '{what}' directives are kept but have no effect yet.",
                lines.len()
            ));
        }
    }
    match (&*config.string("supervised"), os::process::supervisor()) {
        ("systemd", None) => log::warning(
            "systemd supervision requested or auto-detected, but Redis is compiled without NOTIFY_SOCKET in its environment: running unsupervised.",
        ),
        ("upstart", None) => {
            log::warning("upstart supervision requested, but UPSTART_JOB not found!")
        }
        _ => {}
    }
}

/// Limits, processors, collation, title, and what the kernel wants to know.
fn prepare_process(config: &Config) {
    log::notice(format_args!("monotonic clock: {}", os::clock::calibrate()));
    raise_open_files(config);
    if let Some(list) = Some(config.string("server-cpulist")).filter(|list| !list.is_empty())
        && let Err(why) = os::affinity::bind_thread(&list)
    {
        log::warning(format_args!("server-cpulist has no effect: {why}"));
    }
    let locale = config.string("locale-collate");
    if os::locale::set_collation(&locale).is_err() {
        log::warning(format_args!(
            "locale-collate: the system does not know the locale '{locale}'"
        ));
    }
    // Both failures have been logged.
    let _ = config.apply_oom_score();
    let _ = config.show_title();
}

/// As many open files as `maxclients` needs, or fewer clients.
fn raise_open_files(config: &Config) {
    let clients = u64::try_from(config.number("maxclients")).unwrap_or(u64::MAX);
    let wanted = clients.saturating_add(reserved_files());
    let files = os::limits::raise_open_files(wanted);
    match files.before {
        None => log::warning(format_args!(
            "Unable to obtain the current NOFILE limit ({}), assuming 1024 and setting the max clients configuration accordingly.",
            files.refused.as_deref().unwrap_or("unknown")
        )),
        Some(before) if files.now >= wanted && before < wanted => log::notice(format_args!(
            "Increased maximum number of open files to {} (it was originally set to {before}).",
            files.now
        )),
        Some(_) => {}
    }
    if files.now < wanted {
        let possible = files.now.saturating_sub(reserved_files()).max(1);
        config.lower_maxclients(possible);
        let why = files.refused.as_deref().unwrap_or("unknown");
        log::warning(format_args!(
            "You requested maxclients of {clients} requiring at least {wanted} max file descriptors."
        ));
        log::warning(format_args!(
            "Server can't set maximum open files to {wanted} because of OS error: {why}."
        ));
        log::warning(format_args!(
            "Current maximum open files is {}. maxclients has been reduced to {possible} to compensate for low ulimit. \
             If you need higher maxclients increase 'ulimit -n'.",
            files.now
        ));
    }
}

/// A number that nobody can guess, from the library's randomly keyed hash.
fn random(salt: u64) -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(salt);
    hasher.finish()
}

/// `hash-seed`, or a random one.
fn seed(config: &Config) -> u64 {
    let text = config.text_of("hash-seed");
    if text.is_empty() {
        return random(0);
    }
    // FNV-1a: the same text gives the same seed on every system.
    text.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn start(config: Config) -> Result<server::run::Running, Exit> {
    let lossy = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let start = Start {
        workers: usize::try_from(config.number("io-threads")).expect("within its row's range"),
        renames: config
            .directives()
            .renames
            .iter()
            .map(|(old, new)| (lossy(old), lossy(new)))
            .collect(),
        seed: seed(&config),
        run_id: format!(
            "{:016x}{:016x}{:08x}",
            random(1),
            random(2),
            random(3) >> 32
        ),
        port: u16::try_from(config.number("port")).expect("within its row's range"),
    };
    let listening = config.listening().map_err(|why| fail(why, Exit::Listen))?;
    if listening.wanted.is_empty() {
        return Err(fail(
            "Configured to not listen anywhere, exiting.",
            Exit::Listen,
        ));
    }
    let server = Server::with_config(start, config).map_err(|e| fail(e, Exit::Configuration))?;
    *server.listening.lock() = listening;
    let config = &server.config;
    banner::show(config);
    warn_of_backlog(config);
    log::notice("Server initialized");
    warn_of_system(config);
    listen_for_stop(&server)?;
    let running = server::run::start(&server).map_err(|e| {
        let port = config.number("port");
        log::warning(format_args!(
            "Failed listening on port {port} (tcp), aborting."
        ));
        fail(
            format_args!("Cannot start: {e}"),
            if is_of_address(&e) {
                Exit::Listen
            } else {
                Exit::System
            },
        )
    })?;
    if let (Some(path), group) = (config.path("unixsocket"), config.string("unixsocketgroup"))
        && !group.is_empty()
        && let Err(e) = os::files::set_group(&path, &group)
    {
        log::warning(format_args!(
            "unixsocketgroup '{group}' has no effect: {}",
            os::files::error_text(&e)
        ));
    }
    SERVER
        .set(server)
        .map_err(|_| ())
        .expect("a process starts one server");
    Ok(running)
}

fn is_of_address(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        AddrInUse, AddrNotAvailable, NotFound, PermissionDenied, Unsupported,
    };
    matches!(
        error.kind(),
        AddrInUse | AddrNotAvailable | PermissionDenied | NotFound | Unsupported
    )
}

fn warn_of_backlog(config: &Config) {
    let backlog = u64::try_from(config.number("tcp-backlog")).unwrap_or(0);
    if let Some(max) = os::host::backlog_max()
        && max < backlog
    {
        log::warning(format_args!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of {max}."
        ));
    }
}

/// Settings of the machine, apart from those that `ignore-warnings` names.
fn warn_of_system(config: &Config) {
    let ignored = config.string("ignore-warnings");
    let is_ignored = |name: &str| {
        ignored
            .split_ascii_whitespace()
            .any(|word| word.eq_ignore_ascii_case(name))
    };
    for concern in os::host::concerns() {
        if !is_ignored(concern.name) {
            log::warning(format_args!("WARNING {}", concern.text));
        }
    }
    if os::host::has_huge_pages_always() {
        let disabled = config.flag("disable-thp") && os::process::disable_huge_pages();
        if !disabled && !is_ignored("THP") {
            log::warning(format_args!("WARNING {}", os::host::huge_pages_warning()));
        }
    }
}

fn write_pid_file(config: &Config, background: bool) -> Option<PathBuf> {
    let file = match config.path("pidfile") {
        None if background => PathBuf::from(PID_FILE),
        None => return None,
        Some(file) => std::path::absolute(&file).unwrap_or(file),
    };
    match os::files::write(&file, format!("{}\n", std::process::id()).as_bytes()) {
        Ok(()) => Some(file),
        Err(e) => {
            let why = os::files::error_text(&e);
            log::warning(format_args!(
                "Failed to write PID file {}: {why}",
                file.display()
            ));
            None
        }
    }
}

fn say_ready(server: &Arc<Server>, supervised: Supervised) {
    if server.config.number("port") != 0 {
        log::notice("Ready to accept connections tcp");
    }
    if let Some(path) = server.config.path("unixsocket") {
        log::notice("Ready to accept connections unix");
        log::notice(format_args!(
            "The server is now ready to accept connections at {}",
            path.display()
        ));
    }
    match supervised {
        Supervised::No => {}
        Supervised::Systemd => tell_systemd("STATUS=Ready to accept connections\nREADY=1\n"),
        Supervised::Upstart => {
            log::notice("supervised by upstart, will stop to signal readiness.");
            os::process::stop_for_upstart();
        }
    }
}

fn tell_systemd(text: &str) {
    if let Err(e) = os::process::notify_systemd(text) {
        log::warning(format_args!(
            "systemd supervision error: {}",
            os::files::error_text(&e)
        ));
    }
}

/// Signals and console events become the same request as SHUTDOWN.
fn listen_for_stop(server: &Arc<Server>) -> Result<(), Exit> {
    let server = server.clone();
    os::stop::listen(Box::new(move |cause| stop(&server, cause))).map_err(|e| {
        fail(
            format_args!("Cannot listen for signals: {}", os::files::error_text(&e)),
            Exit::System,
        )
    })
}

fn stop(server: &Arc<Server>, cause: os::stop::Cause) {
    use os::stop::Cause;
    let (text, parameter) = match cause {
        Cause::Interrupt => (
            "Received SIGINT scheduling shutdown...",
            "shutdown-on-sigint",
        ),
        Cause::Terminate => (
            "Received SIGTERM scheduling shutdown...",
            "shutdown-on-sigterm",
        ),
        Cause::Break => (
            "Received Ctrl-Break scheduling shutdown...",
            "shutdown-on-sigint",
        ),
        Cause::Close => (
            "The console closes, scheduling shutdown...",
            "shutdown-on-sigterm",
        ),
        Cause::Logoff => (
            "The user logs off, scheduling shutdown...",
            "shutdown-on-sigterm",
        ),
        Cause::Shutdown => (
            "The system stops, scheduling shutdown...",
            "shutdown-on-sigterm",
        ),
    };
    if server.stop.is_requested() && cause == Cause::Interrupt {
        log::warning("You insist... exiting now.");
        server.remove_temporary_file();
        log::flush();
        os::raw::exit_now(1);
    }
    log::notice(text);
    // The bits are those of the parameter's row.
    let bits = server.config.choice(parameter);
    let save = match bits & 3 {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    };
    server.stop.request(ShutdownOptions {
        save,
        now: bits & 4 != 0,
        force: bits & 8 != 0,
        safe: bits & 16 != 0,
        by_signal: true,
    });
}
