//! `redstart-check-aof [--fix | --truncate-to-timestamp SECONDS] FILE`: is an append-only file sound?
//!
//! | exit code | why |
//! |---|---|
//! | 0 | the files are sound, or have been made so |
//! | 1 | they are not, or cannot be read, or the command line makes no sense |
//!
//! FILE is a manifest, or one file: of commands, or with an RDB file in front of them. Lines and codes are
//! Redis's. What it does not know are our seals (`persist::aof::seal`): a batch that differs from its seal is
//! where the file ends to be sound; cutting within a batch makes the seal anew.
//!
//! It is a program of its own, and what the server does when it is called by a name with `check-aof` in
//! it, or with `--check-aof`.
//!
//! Checked by: `tests/check_aof.rs`.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use os::disk::{DataFile, Disk};
use os::files::error_text;
use persist::aof::Manifest;
use persist::aof::seal::{self, Seal};
use persist::aof::walk::{Flaw, Item, Walk};

/// What is to be done with what is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Look,
    Fix,
    /// Cut off what is younger.
    Until(i64),
}

/// What came of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Sound,
    Empty,
    Truncated,
    TruncatedToTime,
}

/// The end, with exit code 1; why has been said.
struct Failed;

type Res<T> = Result<T, Failed>;

/// Says a line and fails.
fn fail<T>(line: &str) -> Res<T> {
    println!("{line}");
    Err(Failed)
}

/// Does what the words behind the program's name ask for; the exit code.
pub(crate) fn main(words: &[OsString]) -> i32 {
    let done = match words {
        [one] if one == "-v" || one == "--version" => {
            println!("redstart-check-aof {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        [file] => check(Path::new(file), Wish::Look),
        [flag, file] if flag == "--fix" => check(Path::new(file), Wish::Fix),
        [flag, time, file] if flag == "--truncate-to-timestamp" => {
            match time.to_str().and_then(|text| text.parse().ok()) {
                Some(seconds) => check(Path::new(file), Wish::Until(seconds)),
                None => fail("Invalid timestamp, aborting..."),
            }
        }
        _ => fail(
            "Usage: redstart-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>",
        ),
    };
    i32::from(done.is_err())
}

fn check(path: &Path, wish: Wish) -> Res<()> {
    let name = path.display().to_string();
    let mut begin = [0; 1024];
    let read = Disk::Real
        .open(path)
        .and_then(|mut file| file.read(&mut begin));
    let begin = match read {
        Ok(n) => &begin[..n],
        Err(error) => return fail(&format!("Cannot open file {name}: {}", error_text(&error))),
    };
    let mut lines = begin.split_inclusive(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.starts_with(b"#"));
    if first.is_some_and(|line| line.starts_with(b"file")) {
        return check_all(path, wish);
    }
    println!("Start checking Old-Style AOF");
    let outcome = check_one(&name, path, true, wish, is_rdb(begin))?;
    tell(outcome, "AOF", &name, wish);
    Ok(())
}

fn is_rdb(begin: &[u8]) -> bool {
    begin.starts_with(b"REDIS") || begin.starts_with(b"VALKEY")
}

/// Everything that a manifest names.
fn check_all(path: &Path, wish: Wish) -> Res<()> {
    println!("Start checking Multi Part AOF");
    let text = Disk::Real.read(path).map_err(|error| {
        println!(
            "Cannot open file {}: {}",
            path.display(),
            error_text(&error)
        );
        Failed
    })?;
    let manifest = Manifest::parse(&text).map_err(|bad| {
        println!("*** FATAL AOF MANIFEST FILE ERROR ***");
        if let Some((number, line)) = &bad.line {
            println!("Reading the manifest file, at line {number}");
            println!(">>> '{}'", String::from_utf8_lossy(line));
        }
        println!("{}", bad.reason);
        Failed
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let last = manifest.files().count();
    for (index, entry) in manifest.files().enumerate() {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let path = folder.join(os::files::path(&entry.name));
        let is_base = manifest.base.as_ref() == Some(entry);
        let mut is_preamble = false;
        if is_base {
            let mut begin = [0; 6];
            let read = Disk::Real
                .open(&path)
                .and_then(|mut file| file.read(&mut begin));
            is_preamble = read.is_ok() && is_rdb(&begin);
            let form = if is_preamble { "RDB" } else { "RESP" };
            println!("Start to check BASE AOF ({form} format).");
        } else if index == usize::from(manifest.base.is_some()) {
            println!("Start to check INCR files.");
        }
        let outcome = check_one(&name, &path, index + 1 == last, wish, is_preamble)?;
        tell(
            outcome,
            if is_base { "BASE AOF" } else { "INCR AOF" },
            &name,
            wish,
        );
    }
    println!("All AOF files and manifest are valid");
    Ok(())
}

fn tell(outcome: Outcome, kind: &str, name: &str, wish: Wish) {
    match (outcome, wish) {
        (Outcome::Sound, _) => println!("{kind} {name} is valid"),
        (Outcome::Empty, _) => println!("{kind} {name} is empty"),
        (Outcome::TruncatedToTime, Wish::Until(seconds)) => {
            println!("Successfully truncated AOF {name} to timestamp {seconds}");
        }
        _ => println!("Successfully truncated AOF {name}"),
    }
}

/// A file being looked at.
struct Look<'f> {
    name: &'f str,
    path: &'f Path,
    is_last: bool,
    wish: Wish,
    walk: Walk,
    /// Up to where whole units stand.
    sound: u64,
    in_multi: bool,
    /// Something stands in front: a command, or an RDB file.
    has_data: bool,
    /// What is wrong, as it is said.
    error: Option<String>,
    /// Where the last seal stands.
    seal_at: Option<u64>,
}

fn check_one(
    name: &str,
    path: &Path,
    is_last: bool,
    wish: Wish,
    is_preamble: bool,
) -> Res<Outcome> {
    let open = || {
        Disk::Real.open(path).map_err(|error| {
            let text = error_text(&error);
            println!("Cannot open file {}: {text}, aborting...", path.display());
            Failed
        })
    };
    let size = open()?.len().map_err(|_| {
        println!("Cannot stat file: {name}, aborting...");
        Failed
    })?;
    if size == 0 {
        return Ok(Outcome::Empty);
    }
    let mut begin = 0;
    if is_preamble {
        let Some(end) = check_preamble(path, open()?) else {
            return fail("RDB preamble of AOF file is not sane, aborting.");
        };
        println!("RDB preamble is OK, proceeding with AOF tail...");
        begin = end;
    }
    let walk = Walk::new(open()?, begin).map_err(|_| cannot_read(name))?;
    let mut look = Look {
        name,
        path,
        is_last,
        wish,
        walk,
        sound: begin,
        in_multi: false,
        has_data: is_preamble,
        error: None,
        seal_at: None,
    };
    if look.walk_through()? {
        return Ok(Outcome::TruncatedToTime);
    }
    look.conclude(size)
}

fn cannot_read(name: &str) -> Failed {
    println!("Failed to read from AOF {name}, aborting...");
    Failed
}

/// The RDB file in front: where it ends, if it is sound.
fn check_preamble(path: &Path, mut file: DataFile) -> Option<u64> {
    let mut skimmer = rdb::file::Skimmer::new(true);
    let mut block = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut block).ok()?;
        let fed = if count == 0 {
            skimmer.finish()
        } else {
            skimmer.feed(&block[..count])
        };
        if let Err(error) = fed {
            println!("{}: {error}", path.display());
            return None;
        }
        loop {
            match skimmer.next_item() {
                Ok(Some(rdb::file::Item::End { bytes, .. })) => return Some(bytes),
                Ok(Some(_)) => {}
                Ok(None) if count == 0 => return None,
                Ok(None) => break,
                Err(error) => {
                    println!("{}: {error}", path.display());
                    return None;
                }
            }
        }
    }
}

impl Look<'_> {
    /// To the end of the file or of what is sound; whether it was cut off at a time.
    fn walk_through(&mut self) -> Res<bool> {
        loop {
            let at = self.walk.offset();
            if !self.in_multi {
                self.sound = at;
            }
            match self.walk.next(false) {
                Ok(Item::End) => return Ok(false),
                Ok(Item::Note(note)) => {
                    if self.note(at, &note)? {
                        return Ok(true);
                    }
                    if self.error.is_some() {
                        return Ok(false);
                    }
                }
                Ok(Item::Command(command)) => self.count(at, command.as_args().get(0)),
                Err(flaw) => {
                    self.flaw(at, flaw)?;
                    return Ok(false);
                }
            }
            if self.error.is_some() {
                return Ok(false);
            }
        }
    }

    fn count(&mut self, at: u64, name: &[u8]) {
        self.has_data = true;
        if name.eq_ignore_ascii_case(b"multi") {
            if std::mem::replace(&mut self.in_multi, true) {
                self.say_at(
                    at,
                    &format!("Unexpected MULTI in AOF {}", self.path.display()),
                );
            }
        } else if name.eq_ignore_ascii_case(b"exec") && !std::mem::take(&mut self.in_multi) {
            self.say_at(
                at,
                &format!("Unexpected EXEC in AOF {}", self.path.display()),
            );
        }
    }

    fn say_at(&mut self, at: u64, what: &str) {
        self.error = Some(format!("0x{at:>16x}: {what}"));
    }

    fn flaw(&mut self, at: u64, flaw: Flaw) -> Res<()> {
        match flaw {
            Flaw::Disk(_) => return Err(cannot_read(self.name)),
            Flaw::Short => {
                if let Some((begin, wanted, got)) = self.walk.short_word() {
                    let what = format!("Expected to read {wanted} bytes, got {got} bytes");
                    self.say_at(begin, &what);
                }
            }
            Flaw::Format(offset, _) if offset == at => {
                println!("AOF {} format error", self.name);
            }
            Flaw::Format(offset, reason) => self.say_at(offset, &reason),
            Flaw::Memory(offset) => self.say_at(offset, "There is no memory for a string"),
        }
        Ok(())
    }

    /// An annotation; whether the file was cut off before it.
    fn note(&mut self, at: u64, note: &[u8]) -> Res<bool> {
        if note.starts_with(seal::MARK) {
            self.seal(at, note)?;
        } else if let Wish::Until(wanted) = self.wish
            && let Some(stamp) = note.strip_prefix(b"#TS:")
        {
            let text = std::str::from_utf8(stamp).ok();
            let Some(stamp) = text.and_then(|text| text.parse::<i64>().ok()) else {
                return fail("Invalid timestamp annotation");
            };
            if stamp > wanted {
                self.cut_at_time(at, wanted)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compares a batch with its seal.
    fn seal(&mut self, at: u64, note: &[u8]) -> Res<()> {
        let begin = self.walk.offset();
        let Some(seal) = Seal::parse(note) else {
            self.say_at(at, "A seal is malformed");
            return Ok(());
        };
        match self.walk.sum(seal.bytes) {
            Ok(crc) if crc == seal.crc => {}
            Ok(_) | Err(Flaw::Short) => self.say_at(at, "A batch differs from its checksum"),
            Err(_) => return Err(cannot_read(self.name)),
        }
        self.seal_at = Some(at);
        self.walk.go_to(begin).map_err(|_| cannot_read(self.name))
    }

    fn cut_at_time(&mut self, at: u64, wanted: i64) -> Res<()> {
        let path = self.path.display();
        if !self.has_data {
            return fail(&format!(
                "AOF {path} has nothing before timestamp {wanted}, aborting..."
            ));
        }
        if !self.is_last {
            println!(
                "Failed to truncate AOF {path} to timestamp {wanted} to offset {at} because it is not the last file."
            );
            return fail(
                "If you insist, please delete all files after this file according to the manifest file and delete \
                 the corresponding records in manifest file manually. Then re-run redis-check-aof.",
            );
        }
        self.cut(at).map_err(|_| {
            println!("Failed to truncate AOF {path} to timestamp {wanted}");
            Failed
        })
    }

    /// Cuts the file off, and seals anew what is left of the batch.
    fn cut(&self, at: u64) -> io::Result<()> {
        let mut file = Disk::Real.append(self.path)?;
        let mut end = at;
        if let Some(seal_at) = self.seal_at {
            let begin = seal_at + seal::LEN as u64;
            let mut walk = Walk::new(Disk::Real.open(self.path)?, seal_at)?;
            let old = match walk.next(false) {
                Ok(Item::Note(note)) => Seal::parse(&note),
                _ => None,
            };
            if let Some(old) = old.filter(|old| at < begin + old.bytes) {
                let left = at.saturating_sub(begin);
                match walk.sum(left) {
                    // Nothing of the batch is left, and its seal goes with it.
                    Ok(_) if left == 0 => end = seal_at,
                    Ok(crc) => {
                        let seal = Seal {
                            bytes: left,
                            crc,
                            ..old
                        };
                        file.seek(seal_at)?;
                        file.write(&seal.line())?;
                    }
                    Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        }
        file.truncate(end)?;
        file.flush()
    }

    /// Says what came of it, and cuts off what is not sound if that is wished.
    fn conclude(mut self, size: u64) -> Res<Outcome> {
        if self.in_multi && self.error.is_none() && self.walk.offset() == size {
            self.say_at(size, "Reached EOF before reading EXEC for MULTI");
        }
        if let Some(error) = &self.error {
            println!("{error}");
        }
        let (name, sound, diff) = (self.name, self.sound, size - self.sound);
        if diff == 0
            && let Wish::Until(wanted) = self.wish
        {
            println!("Truncate nothing in AOF {name} to timestamp {wanted}");
            return Ok(Outcome::Sound);
        }
        let lines = self.walk.lines() + 1;
        println!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={sound}, ok_up_to_line={lines}, diff={diff}"
        );
        if diff == 0 {
            return Ok(Outcome::Sound);
        }
        if self.wish != Wish::Fix {
            return fail(&format!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ));
        }
        if !self.is_last {
            return fail(&format!(
                "Failed to truncate AOF {name} because it is not the last file"
            ));
        }
        println!(
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {sound} bytes"
        );
        print!("Continue? [y/N]: ");
        // A reader that has gone cannot answer either.
        let _ = io::stdout().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_err() || !answer.starts_with(['y', 'Y']) {
            return fail("Aborting...");
        }
        match self.cut(sound) {
            Ok(()) => Ok(Outcome::Truncated),
            Err(_) => fail(&format!("Failed to truncate AOF {name}")),
        }
    }
}
