//! The manifest: which files the append-only file consists of.
//!
//! ```text
//!  file appendonly.aof.2.base.rdb seq 2 type b      the base: at most one, and read first
//!  file appendonly.aof.3.incr.aof seq 3 type h      history: not read, about to be removed
//!  file appendonly.aof.4.incr.aof seq 4 type i      incremental: read in this order
//!  # a comment; a name with odd characters stands in quotes
//! ```
//!
//! Format, names and checks are Redis's (`aof.c`), its error texts included: tools look for them.
//!
//! M1  A name is a name and no path: a manifest cannot lead out of its folder.
//! M2  Incremental files' numbers ascend; there is one base at most.
//! M3  The manifest is replaced whole (`os::disk::Replacement`), so there is always an old or a new one.
//! M4  A file that the manifest names is made, and its folder flushed, before the manifest is written;
//!     a file is removed after a manifest that names it as history, or not at all, is durable.
//!
//! Checked by: tests below; `tests/power.rs` for M3 and M4; fuzz/manifest.

use std::io;
use std::path::{Component, Path, PathBuf};

use os::disk::{Disk, Replacement};

/// A manifest's lines are no longer than this, their end included.
const LINE_MAX: usize = 1024;

/// Where the files lie and what they are called.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `dir`, or nothing for the current folder: where an old single file would be.
    pub dir: PathBuf,
    /// `appenddirname`.
    pub folder_name: PathBuf,
    /// `appendfilename`.
    pub name: Vec<u8>,
}

impl Layout {
    /// The folder of all files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.join(&self.folder_name)
    }

    /// Where a file of the manifest lies.
    #[must_use]
    pub fn path(&self, name: &[u8]) -> PathBuf {
        self.folder().join(os::files::path(name))
    }

    /// Where the manifest lies.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.path(&self.with_ending(".manifest"))
    }

    /// Where an old single file would lie.
    #[must_use]
    pub fn single(&self) -> PathBuf {
        self.dir.join(os::files::path(&self.name))
    }

    fn with_ending(&self, ending: &str) -> Vec<u8> {
        [&self.name, ending.as_bytes()].concat()
    }

    fn temporary_manifest(&self) -> PathBuf {
        self.path(&[b"temp-", &self.with_ending(".manifest")[..]].concat())
    }

    /// What an incremental file is called until the manifest names it.
    #[must_use]
    pub fn temporary_incremental(&self) -> PathBuf {
        self.path(&[b"temp-", &self.with_ending(".incr")[..]].concat())
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Base,
    History,
    Incremental,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's name in the folder.
    pub name: Vec<u8>,
    /// Its number among those of its kind.
    pub seq: i64,
}

/// Which files there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What is read first.
    pub base: Option<Entry>,
    /// What is to be removed.
    pub history: Vec<Entry>,
    /// What is read behind the base, in order.
    pub incremental: Vec<Entry>,
}

/// Why a manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadManifest {
    /// The line's number, from 1, and its text, where a line is to blame.
    pub line: Option<(usize, Vec<u8>)>,
    /// Redis's words.
    pub reason: &'static str,
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(mut text: &[u8]) -> Result<Manifest, BadManifest> {
        let mut manifest = Manifest::default();
        if text.is_empty() {
            let reason = "Found an empty AOF manifest";
            return Err(BadManifest { line: None, reason });
        }
        let mut number = 0;
        while !text.is_empty() {
            number += 1;
            let whole = text[..text.len().min(LINE_MAX)]
                .iter()
                .position(|b| *b == b'\n');
            let line = &text[..whole.map_or(text.len().min(LINE_MAX), |at| at + 1)];
            text = &text[line.len()..];
            if line.starts_with(b"#") {
                continue;
            }
            if whole.is_none() {
                let reason = "The AOF manifest file contains too long line";
                return Err(BadManifest { line: None, reason });
            }
            let line = line.trim_ascii();
            manifest.add_line(line).map_err(|reason| BadManifest {
                line: Some((number, line.to_vec())),
                reason,
            })?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const FORMAT: &str = "Invalid AOF manifest file format";
        let words = resp::split_words(line).map_err(|_| FORMAT)?;
        // More pairs than three come from newer versions.
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(FORMAT);
        }
        let (mut name, mut seq, mut role) = (None, 0, None);
        for pair in words.chunks_exact(2) {
            let value = &pair[1];
            if pair[0].eq_ignore_ascii_case(b"file") {
                if !is_plain_name(value) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value.clone());
            } else if pair[0].eq_ignore_ascii_case(b"seq") {
                seq = leading_number(value);
            } else if pair[0].eq_ignore_ascii_case(b"type") {
                role = value.first().copied();
            }
        }
        let (Some(name), Some(role)) = (name, role) else {
            return Err(FORMAT);
        };
        if seq == 0 {
            return Err(FORMAT);
        }
        let entry = Entry { name, seq };
        match role {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => self.base = Some(entry),
            b'h' => self.history.push(entry),
            b'i' if seq <= self.incremental.last().map_or(0, |last| last.seq) => {
                return Err("Found a non-monotonic sequence number");
            }
            b'i' => self.incremental.push(entry),
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The manifest's text.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let base = self.base.iter().map(|entry| (entry, Role::Base));
        let history = self.history.iter().map(|entry| (entry, Role::History));
        let incremental = self.incremental.iter().map(|e| (e, Role::Incremental));
        for (entry, role) in base.chain(history).chain(incremental) {
            out.extend_from_slice(b"file ");
            if needs_quotes(&entry.name) {
                resp::repr_into(&mut out, &entry.name);
            } else {
                out.extend_from_slice(&entry.name);
            }
            let letter = match role {
                Role::Base => 'b',
                Role::History => 'h',
                Role::Incremental => 'i',
            };
            out.extend_from_slice(format!(" seq {} type {letter}\n", entry.seq).as_bytes());
        }
        out
    }

    /// Whether it names nothing that is to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incremental.is_empty()
    }

    /// The files to read, in order.
    pub fn files(&self) -> impl Iterator<Item = &Entry> {
        self.base.iter().chain(&self.incremental)
    }

    /// Reads the manifest of a folder; an empty one if there is none.
    ///
    /// # Errors
    /// `Err(Ok(_))` for its text, `Err(Err(_))` for the disk.
    pub fn load(disk: &Disk, layout: &Layout) -> Result<Manifest, Result<BadManifest, io::Error>> {
        match disk.read(&layout.manifest()) {
            Ok(text) => Manifest::parse(&text).map_err(Ok),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Manifest::default()),
            Err(e) => Err(Err(e)),
        }
    }

    /// Puts it in the place of the one that is there (M3). The files that it names are there.
    ///
    /// # Errors
    /// The disk's.
    pub fn store(&self, disk: &Disk, layout: &Layout) -> io::Result<()> {
        // New files' names are to be durable before a manifest with them is (M4).
        disk.flush_folder(&layout.folder())?;
        let mut file = Replacement::begin(disk, layout.temporary_manifest(), &layout.manifest())?;
        file.file().write(&self.text())?;
        file.finish()
    }

    /// Adds the next incremental file.
    pub fn add_incremental(&mut self, layout: &Layout) -> &Entry {
        let seq = self.seq_after(&self.incremental);
        let name = layout.with_ending(&format!(".{seq}.incr.aof"));
        self.incremental.push(Entry { name, seq });
        self.incremental.last().expect("it has just been added")
    }

    /// The entry that the next base will have: of an RDB file, or of one with commands.
    #[must_use]
    pub fn next_base(&self, layout: &Layout, is_rdb: bool) -> Entry {
        let seq = self.base.as_ref().map_or(0, |base| base.seq) + 1;
        let ending = if is_rdb { "rdb" } else { "aof" };
        let name = layout.with_ending(&format!(".{seq}.base.{ending}"));
        Entry { name, seq }
    }

    /// A base that holds all that stands before incremental file `first` takes their place.
    pub fn rebase(&mut self, base: Entry, first: i64) {
        let behind = self.incremental.iter().position(|entry| entry.seq >= first);
        let kept = self
            .incremental
            .split_off(behind.unwrap_or(self.incremental.len()));
        let old = std::mem::replace(&mut self.incremental, kept);
        self.history.extend(self.base.replace(base));
        self.history.extend(old);
    }

    /// Removes the history's files, then forgets them. What cannot be removed stays listed.
    ///
    /// # Errors
    /// The disk's; what is listed is still true.
    pub fn remove_history(&mut self, disk: &Disk, layout: &Layout) -> io::Result<()> {
        if self.history.is_empty() {
            return Ok(());
        }
        for entry in &self.history {
            disk.remove(&layout.path(&entry.name))?;
        }
        let history = std::mem::take(&mut self.history);
        let stored = self.store(disk, layout);
        if stored.is_err() {
            self.history = history;
        }
        stored
    }

    /// History may hold higher numbers than what is read: a number is not used twice while its file may
    /// still lie there.
    fn seq_after(&self, list: &[Entry]) -> i64 {
        let last = list.last().map_or(0, |entry| entry.seq);
        let history = self
            .history
            .iter()
            .filter(|e| e.name.ends_with(b".incr.aof"));
        history.map(|e| e.seq).fold(last, i64::max) + 1
    }
}

/// Takes an old single file into the folder, if there is one and the manifest says nothing yet. A crash
/// between the steps is met again at the next start: the manifest names a file that is still outside.
///
/// # Errors
/// The disk's.
pub fn upgrade(disk: &Disk, layout: &Layout, manifest: &mut Manifest) -> io::Result<bool> {
    let inside = layout.path(&layout.name);
    let is_half_done = manifest.incremental.is_empty()
        && (manifest.base.as_ref()).is_some_and(|base| base.name == layout.name)
        && !disk.has(&inside);
    if !disk.has(&layout.single()) || !(manifest.is_empty() || is_half_done) {
        return Ok(false);
    }
    make_folder(disk, layout)?;
    manifest.base = Some(Entry {
        name: layout.name.clone(),
        seq: 1,
    });
    manifest.store(disk, layout)?;
    disk.rename(&layout.single(), &inside)?;
    disk.flush_folder(&layout.folder())?;
    disk.flush_folder(&layout.dir)?;
    Ok(true)
}

/// Makes the folder of the append-only file, durably.
///
/// # Errors
/// The disk's.
pub fn make_folder(disk: &Disk, layout: &Layout) -> io::Result<()> {
    if !disk.has(&layout.folder()) {
        disk.make_folder(&layout.folder())?;
        disk.flush_folder(&layout.dir)?;
    }
    Ok(())
}

/// M1.
fn is_plain_name(name: &[u8]) -> bool {
    let path = os::files::path(name);
    let mut parts = Path::new(&path).components();
    let is_one = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    is_one && !name.iter().any(|byte| matches!(byte, b'/' | b'\\'))
}

/// What C's `atoll` reads.
fn leading_number(text: &[u8]) -> i64 {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[sign..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    resp::number::parse_i64(&text[..sign + digits])
        .or_else(|| resp::number::parse_i64(&text[sign..sign + digits]))
        .unwrap_or(0)
}

/// Whether a name could not be read back as it stands.
fn needs_quotes(name: &[u8]) -> bool {
    name.is_empty()
        || name
            .iter()
            .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'\\'))
}

#[cfg(test)]
mod tests {
    use os::disk::Simulated;

    use super::*;

    fn layout() -> Layout {
        Layout {
            dir: "".into(),
            folder_name: "appendonlydir".into(),
            name: b"appendonly.aof".to_vec(),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, (Option<usize>, &str)>) {
        let parsed = Manifest::parse(text.as_bytes());
        let seen = parsed
            .as_ref()
            .map(|m| String::from_utf8(m.text()).expect("test text"));
        let seen = seen
            .as_deref()
            .map_err(|e| (e.line.as_ref().map(|l| l.0), e.reason));
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn reads_what_redis_writes_and_refuses_what_it_refuses() {
        let whole = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
                     file a.2.incr.aof seq 2 type i\nfile a.3.incr.aof seq 3 type i\n";
        check(whole, Ok(whole));
        check(
            "# c\nFILE x Seq 1 tYPE b new y\n",
            Ok("file x seq 1 type b\n"),
        );
        check(
            "file \"a b\" seq 7x type incr\n",
            Ok("file \"a b\" seq 7 type i\n"),
        );
        let format = "Invalid AOF manifest file format";
        check("", Err((None, "Found an empty AOF manifest")));
        check("\n", Err((Some(1), format)));
        check("file a seq 1\n", Err((Some(1), format)));
        check("file a seq 1 type b more\n", Err((Some(1), format)));
        check("# c\nfile a seq 0 type b\n", Err((Some(2), format)));
        check(
            "file a seq 1 type b",
            Err((None, "The AOF manifest file contains too long line")),
        );
        let long = format!("file {} seq 1 type b\n", "a".repeat(1024));
        check(
            &long,
            Err((None, "The AOF manifest file contains too long line")),
        );
        for path in ["../a", "/a", "a/b", "..", "a\\\\b"] {
            let line = format!("file {path} seq 1 type b\n");
            check(
                &line,
                Err((Some(1), "File can't be a path, just a filename")),
            );
        }
        let twice = "file a seq 1 type b\nfile b seq 2 type b\n";
        check(
            twice,
            Err((Some(2), "Found duplicate base file information")),
        );
        let back = "file a seq 2 type i\nfile b seq 2 type i\n";
        check(
            back,
            Err((Some(2), "Found a non-monotonic sequence number")),
        );
        check(
            "file a seq 1 type x\n",
            Err((Some(1), "Unknown AOF file type")),
        );
    }

    #[test]
    fn a_rewrite_turns_old_files_into_history() {
        let (layout, mut manifest) = (layout(), Manifest::default());
        manifest.base = Some(manifest.next_base(&layout, true));
        manifest.add_incremental(&layout);
        let first = manifest.add_incremental(&layout).seq;
        let base = manifest.next_base(&layout, false);
        manifest.rebase(base, first);
        let text = "file appendonly.aof.2.base.aof seq 2 type b\n\
                    file appendonly.aof.1.base.rdb seq 1 type h\n\
                    file appendonly.aof.1.incr.aof seq 1 type h\n\
                    file appendonly.aof.2.incr.aof seq 2 type i\n";
        assert_eq!(String::from_utf8(manifest.text()).as_deref(), Ok(text));
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest.clone()));

        let disk = Disk::Simulated(Simulated::new());
        make_folder(&disk, &layout).expect("an empty disk");
        disk.create(&layout.path(b"appendonly.aof.1.incr.aof"))
            .expect("free");
        manifest.store(&disk, &layout).expect("room");
        manifest.remove_history(&disk, &layout).expect("room");
        assert_eq!(
            disk.list(&layout.folder()).expect("ours"),
            [PathBuf::from("appendonly.aof.manifest")]
        );
        assert_eq!(Manifest::load(&disk, &layout).expect("sound"), manifest);
        assert!(manifest.history.is_empty());
    }

    #[test]
    fn an_old_single_file_moves_in_whenever_the_power_goes() {
        let layout = layout();
        let simulated = Simulated::new();
        let disk = Disk::Simulated(simulated.clone());
        let mut old = disk.create(&layout.single()).expect("free");
        old.write(b"old").and_then(|()| old.flush()).expect("room");
        disk.flush_folder(&layout.dir).expect("no plan");
        let first = simulated.operations();
        let mut manifest = Manifest::load(&disk, &layout).expect("there is none");
        assert!(upgrade(&disk, &layout, &mut manifest).expect("no plan"));
        let last = simulated.operations();
        for (cut, seed) in (first..=last).flat_map(|cut| (0..50).map(move |seed| (cut, seed))) {
            let disk = Disk::Simulated(simulated.crash(cut, seed));
            let mut manifest = Manifest::load(&disk, &layout).expect("sound");
            upgrade(&disk, &layout, &mut manifest).expect("again");
            let base = manifest.base.as_ref().expect("the old file").name.clone();
            let bytes = disk.read(&layout.path(&base)).expect("it is inside");
            assert_eq!(bytes, b"old", "cut {cut}, seed {seed}");
        }
    }
}
