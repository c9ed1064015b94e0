//! Data files of the real program: their rights, what signals leave, what a start does with a broken one.

mod common;

use common::{Client, Process, until};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A program in a folder that stays when it has ended.
fn start(folder: &Path, options: &[&str]) -> Process {
    let folder = folder.to_str().expect("a plain path").to_owned();
    let all = [&["--dir", &folder][..], options].concat();
    Process::start(&all)
}

fn until_loaded(server: &Process) -> Client {
    let mut client = Client::connect(server.address());
    until("it is loaded", || {
        !client.ask("DBSIZE").starts_with("-LOADING")
    });
    client
}

#[test]
fn what_a_signal_saved_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump.rdb");
    let mut server = start(folder.path(), &[]);
    assert_eq!(server.ask("SET k v"), "+OK");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    for line in [
        "Received SIGTERM scheduling shutdown...",
        "Saving the final RDB snapshot before exiting.",
        "DB saved on disk",
    ] {
        assert!(server.log().contains(line), "{line}");
    }
    let mode = std::fs::metadata(&file)
        .expect("saved")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut server = start(folder.path(), &["--shutdown-on-sigterm", "nosave"]);
    let mut client = until_loaded(&server);
    assert_eq!(client.ask("GET k"), "v");
    until("it says so", || server.log().contains("Ready to accept"));
    assert!(server.log().contains("DB loaded from disk: "));
    assert_eq!(client.ask("SET k w"), "+OK");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    let mut server = start(
        folder.path(),
        &["--save", "", "--shutdown-on-sigint", "save"],
    );
    let mut client = until_loaded(&server);
    assert_eq!(client.ask("GET k"), "v", "nosave means that");
    assert_eq!(client.ask("SET k x"), "+OK");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
    let server = start(folder.path(), &[]);
    assert_eq!(until_loaded(&server).ask("GET k"), "x");
}

#[test]
fn who_insists_leaves_no_temporary_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = start(folder.path(), &[]);
    assert_eq!(server.ask("SET k v"), "+OK");
    assert_eq!(server.ask("CONFIG SET rdb-key-save-delay 100000000"), "+OK");
    let temporary = folder
        .path()
        .join(format!("temp-{}.rdb", server.child.id()));
    server.signal("INT");
    until("it saves", || temporary.exists());
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.log().contains("You insist... exiting now."));
    assert!(!temporary.exists() && !folder.path().join("dump.rdb").exists());
}

/// Exit code 1, the file as it was, and a reason with its place.
#[test]
fn a_broken_file_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump.rdb");
    std::fs::write(&file, b"REDIS0011\xFF12345678").expect("our folder");
    let path = folder.path().to_str().expect("a plain path");
    let pid_file = folder.path().join("pid");
    let pid = pid_file.to_str().expect("a plain path");
    let mut server = Process::spawn(&["--dir", path, "--pidfile", pid], |_| {});
    assert_eq!(server.wait().code(), Some(1));
    let log = server.log();
    assert!(log.contains("dump.rdb: "), "{log}");
    assert!(log.contains("at offset 18"), "{log}");
    let last = log.lines().last().expect("lines");
    assert!(last.contains("Fatal error loading the DB") && last.ends_with("Exiting."));
    assert!(!pid_file.exists());
    let left = std::fs::read(&file).expect("it is there");
    assert_eq!(left, b"REDIS0011\xFF12345678");
}
