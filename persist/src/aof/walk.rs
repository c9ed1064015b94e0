//! A walk over the bytes of an append-only file: annotations and commands, one after another.
//!
//! ```text
//!   # anything \r\n                                        a note
//!   * words \r\n  ( $ length \r\n bytes \r\n )*            a command
//! ```
//!
//! Nothing is reserved because a length announces it: memory follows the bytes that come. Lines are no
//! longer than Redis lets annotations be.
//!
//! Checked by: tests below, fuzz/aof.

use std::io;
use std::sync::Arc;

use os::disk::DataFile;
use resp::OwnedArgs;

/// The longest line.
const LINE_MAX: usize = 1024;
/// Bytes read at once.
const BLOCK: usize = 64 * 1024;
/// From this length on a word has an allocation of its own.
const BLOB_MIN: usize = 32 * 1024;

/// What stands at the walk's place.
#[derive(Debug)]
pub enum Item {
    /// A line that begins with `#`, without its end.
    Note(Vec<u8>),
    /// A command.
    Command(OwnedArgs),
    /// Nothing more.
    End,
}

/// Why the walk cannot go on.
#[derive(Debug)]
pub enum Flaw {
    /// The file ends in the middle of something.
    Short,
    /// A byte is not what it has to be: its offset, and what is wrong.
    Format(u64, String),
    /// There is no memory for a word.
    Memory(u64),
    /// The disk says no.
    Disk(io::Error),
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Flaw {
        Flaw::Disk(error)
    }
}

/// A place in a file.
#[derive(Debug)]
pub struct Walk {
    file: DataFile,
    block: Vec<u8>,
    at: usize,
    /// The offset of the block's first byte.
    base: u64,
    /// Where to take the end for.
    end: u64,
    word: Vec<u8>,
    /// Lines with a number, and words, that have been passed.
    lines: u64,
    /// The word in whose middle the file ended: its offset, its bytes with their end, those that are there.
    short: Option<(u64, u64, u64)>,
}

impl Walk {
    /// Begins at an offset.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(mut file: DataFile, offset: u64) -> io::Result<Walk> {
        file.seek(offset)?;
        Ok(Walk {
            file,
            block: Vec::new(),
            at: 0,
            base: offset,
            end: u64::MAX,
            word: Vec::new(),
            lines: 0,
            short: None,
        })
    }

    /// Takes the file to end at this offset, if it does not end before.
    pub fn end_at(&mut self, end: u64) {
        self.end = end;
        let over = (self.base + self.block.len() as u64).saturating_sub(end);
        let keep = self.block.len().saturating_sub(over as usize);
        self.block.truncate(keep.max(self.at));
    }

    /// Goes to another offset.
    ///
    /// # Errors
    /// The disk's.
    pub fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.file.seek(offset)?;
        self.block.clear();
        (self.at, self.base) = (0, offset);
        Ok(())
    }

    /// How many lines have been passed, a word's bytes counted as one and annotations not.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// After `Flaw::Short`: the word in which the file ended, if it was one. Its offset, its length with the
    /// line end, and how much of that is there.
    #[must_use]
    pub fn short_word(&self) -> Option<(u64, u64, u64)> {
        self.short
    }

    /// Where the walk is.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// What comes next. If words are not to be kept, a command has its first one only.
    ///
    /// # Errors
    /// A flaw; the walk is then somewhere in it.
    pub fn next(&mut self, keep: bool) -> Result<Item, Flaw> {
        if self.fill()?.is_empty() {
            return Ok(Item::End);
        }
        match self.peek()? {
            b'#' => self.note(),
            b'*' => self.command(keep),
            other => Err(self.expected('*', other)),
        }
    }

    /// The checksum of the next `bytes` bytes, which are passed over.
    ///
    /// # Errors
    /// `Flaw::Short` if there are fewer.
    pub fn sum(&mut self, mut bytes: u64) -> Result<u64, Flaw> {
        let mut crc = rdb::crc::Running::new();
        while bytes > 0 {
            let rest = self.fill()?;
            if rest.is_empty() {
                return Err(Flaw::Short);
            }
            let n = rest.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            crc.add(&rest[..n]);
            self.at += n;
            bytes -= n as u64;
        }
        Ok(crc.value())
    }

    /// Goes to the next place where `mark` stands; whether there is one.
    ///
    /// # Errors
    /// The disk's.
    pub fn find(&mut self, mark: &[u8]) -> io::Result<bool> {
        let mut matched = 0;
        while let Some(&byte) = self.fill()?.first() {
            self.at += 1;
            // The mark's first byte stands in it only once, so a failed match begins anew at its end.
            matched = match byte {
                _ if byte == mark[matched] => matched + 1,
                _ if byte == mark[0] => 1,
                _ => 0,
            };
            if matched == mark.len() {
                let found = self.offset() - mark.len() as u64;
                self.go_to(found)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether nothing but zeros follows.
    ///
    /// # Errors
    /// The disk's.
    pub fn only_zeros(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.fill()?;
            if rest.is_empty() {
                return Ok(true);
            }
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            self.at = self.block.len();
        }
    }

    /// What is in hand, read if need be; empty at the end.
    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.at == self.block.len() {
            self.base += self.at as u64;
            self.at = 0;
            let room = usize::try_from(self.end.saturating_sub(self.base)).unwrap_or(BLOCK);
            self.block.resize(BLOCK.min(room), 0);
            let n = if self.block.is_empty() {
                0
            } else {
                self.file.read(&mut self.block)?
            };
            self.block.truncate(n);
        }
        Ok(&self.block[self.at..])
    }

    fn peek(&mut self) -> Result<u8, Flaw> {
        self.fill()?.first().copied().ok_or(Flaw::Short)
    }

    fn expected(&self, what: char, got: u8) -> Flaw {
        let got = char::from(got);
        Flaw::Format(
            self.offset(),
            format!("Expected prefix '{what}', got: '{got}'"),
        )
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, Flaw> {
        let (begin, mut line) = (self.offset(), Vec::new());
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'\n' if line.last() == Some(&b'\r') => {
                    line.pop();
                    return Ok(line);
                }
                b' '..=b'~' | b'\r' if line.len() < LINE_MAX && line.last() != Some(&b'\r') => {
                    line.push(byte);
                }
                _ => {
                    let found = format!("a line ends with {byte:#04x} after {} bytes", line.len());
                    return Err(Flaw::Format(begin, format!("Expected \\r\\n, but {found}")));
                }
            }
        }
    }

    fn note(&mut self) -> Result<Item, Flaw> {
        self.line().map(Item::Note)
    }

    /// `*` or `$` and a number.
    fn number(&mut self, sign: u8) -> Result<u64, Flaw> {
        let begin = self.offset();
        match self.peek()? {
            byte if byte == sign => {}
            other => return Err(self.expected(char::from(sign), other)),
        }
        let line = self.line()?;
        self.lines += 1;
        resp::number::parse_u64(&line[1..]).ok_or_else(|| {
            let text = String::from_utf8_lossy(&line[1..]).into_owned();
            Flaw::Format(begin, format!("Invalid argument count: '{text}'"))
        })
    }

    fn command(&mut self, keep: bool) -> Result<Item, Flaw> {
        let begin = self.offset();
        let words = self.number(b'*')?;
        if words == 0 {
            return Err(Flaw::Format(
                begin,
                "Expected a command, got no words".to_owned(),
            ));
        }
        let mut command = OwnedArgs::with_capacity(words.min(64) as usize, 64);
        for index in 0..words {
            let bytes = self.number(b'$')?;
            self.word(bytes, (keep || index == 0).then_some(&mut command))?;
        }
        Ok(Item::Command(command))
    }

    /// A word and its line end.
    fn word(&mut self, mut bytes: u64, command: Option<&mut OwnedArgs>) -> Result<(), Flaw> {
        let begin = self.offset();
        let whole = bytes.saturating_add(2);
        let mut word = std::mem::take(&mut self.word);
        word.clear();
        while bytes > 0 {
            let rest = self.fill()?;
            if rest.is_empty() {
                self.short = Some((begin, whole, self.offset() - begin));
                return Err(Flaw::Short);
            }
            let n = rest.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            if command.is_some() {
                word.try_reserve(n).map_err(|_| Flaw::Memory(begin))?;
                word.extend_from_slice(&self.block[self.at..self.at + n]);
            }
            self.at += n;
            bytes -= n as u64;
        }
        let mut end = [0; 2];
        for at in &mut end {
            let Some(&byte) = self.fill()?.first() else {
                self.short = Some((begin, whole, self.offset() - begin));
                return Err(Flaw::Short);
            };
            *at = byte;
            self.at += 1;
        }
        if end != *b"\r\n" {
            let got = format!("Expected \\r\\n, got: {:02x}{:02x}", end[0], end[1]);
            return Err(Flaw::Format(begin, got));
        }
        self.lines += 1;
        match command {
            Some(command) if word.len() >= BLOB_MIN => command.push_blob(Arc::new(word)),
            Some(command) => {
                command.push(&word);
                self.word = word;
            }
            None => self.word = word,
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use os::disk::{Disk, Simulated};

    use super::*;

    /// A file with these bytes.
    pub(in crate::aof) fn file(bytes: &[u8]) -> DataFile {
        let disk = Disk::Simulated(Simulated::new());
        let mut file = disk.create(Path::new("f")).expect("an empty disk");
        file.write(bytes).expect("room");
        disk.open(Path::new("f")).expect("it is there")
    }

    /// What is found, in one line.
    fn walk(bytes: &[u8]) -> String {
        let mut walk = Walk::new(file(bytes), 0).expect("it is open");
        let mut seen = String::new();
        loop {
            match walk.next(true) {
                Ok(Item::End) => return seen + "end",
                Ok(Item::Note(note)) => seen += &String::from_utf8_lossy(&note),
                Ok(Item::Command(command)) => {
                    for word in command.as_args().iter() {
                        seen += &format!("{} ", String::from_utf8_lossy(word));
                    }
                }
                Err(Flaw::Format(at, why)) => return seen + &format!("{at}: {why}"),
                Err(flaw) => return seen + &format!("{flaw:?}"),
            }
            seen.push('|');
        }
    }

    #[test]
    fn commands_notes_and_flaws() {
        let check = |bytes: &str, expected: &str| {
            assert_eq!(
                walk(bytes.replace('~', "\r\n").as_bytes()),
                expected,
                "{bytes}"
            );
        };
        check("", "end");
        check("#TS:7~*2~$3~GET~$0~~*1~$4~PING~", "#TS:7|GET  |PING |end");
        check("*1~$4~PIN", "Short");
        check("*1~$4~PING\r", "Short");
        check("*1~$99999999999~PING~", "Short");
        check("*99999999999~$1~a~", "Short");
        check("*1~$1~a~!!!", "a |11: Expected prefix '*', got: '!'");
        check("*1~*1~", "4: Expected prefix '$', got: '*'");
        check("*0~", "0: Expected a command, got no words");
        check("*-1~", "0: Invalid argument count: '-1'");
        check("*1~$1~abc", "8: Expected \\r\\n, got: 6263");
        check(
            "*1\n",
            "0: Expected \\r\\n, but a line ends with 0x0a after 2 bytes",
        );
        check(
            "#\0~",
            "0: Expected \\r\\n, but a line ends with 0x00 after 1 bytes",
        );
    }

    #[test]
    fn long_words_cross_blocks_and_become_blobs() {
        let word = vec![b'x'; 3 * BLOCK];
        let mut bytes = format!("*2\r\n$1\r\nk\r\n${}\r\n", word.len()).into_bytes();
        bytes.extend_from_slice(&word);
        bytes.extend_from_slice(b"\r\n#n\r\n");
        let mut walk = Walk::new(file(&bytes), 0).expect("it is open");
        let Ok(Item::Command(command)) = walk.next(true) else {
            panic!("a command");
        };
        assert_eq!(
            command.as_args().blob(1).map(|blob| blob.len()),
            Some(word.len())
        );
        assert_eq!(walk.offset() as usize, bytes.len() - 4);
        assert!(matches!(walk.next(true), Ok(Item::Note(note)) if note == b"#n"));

        let mut walk = Walk::new(file(&bytes), 0).expect("it is open");
        assert!(walk.find(b"#n").expect("readable"));
        assert_eq!(walk.offset() as usize, bytes.len() - 4);
        walk.end_at(bytes.len() as u64 - 4);
        walk.go_to(0).expect("readable");
        assert!(!walk.find(b"#n").expect("readable"), "behind the end");
    }
}
