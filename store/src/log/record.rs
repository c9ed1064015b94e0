//! What a unit has to say to the log, and the form that it takes in a lane.
//!
//! ```text
//!   record  = [number u64][commands u32][bytes u64] command*
//!   command = [db u32][bytes u64] RESP array of bulk strings
//! ```
//!
//! Numbers are in the machine's own order: records never leave the process.

/// Bytes in front of a record's commands.
pub(super) const RECORD_HEAD: usize = 8 + 4 + 8;
/// Bytes in front of a command.
pub(super) const COMMAND_HEAD: usize = 4 + 8;

/// The commands that say what a unit has done, in order. Its buffers keep their room.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Commands with their heads, one after another.
    bytes: Vec<u8>,
    commands: u32,
}

impl Effects {
    pub(crate) fn is_empty(&self) -> bool {
        self.commands == 0
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.commands = 0;
    }

    /// Adds a command.
    pub(crate) fn push<'w>(&mut self, db: u32, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        self.bytes.extend_from_slice(&db.to_ne_bytes());
        let len_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 8]);
        let begin = self.bytes.len();
        push_command(&mut self.bytes, words);
        let len = (self.bytes.len() - begin) as u64;
        self.bytes[len_at..begin].copy_from_slice(&len.to_ne_bytes());
        self.commands += 1;
    }

    /// Writes the record.
    pub(super) fn append_record(&self, number: u64, lane: &mut Vec<u8>) {
        lane.reserve(RECORD_HEAD + self.bytes.len());
        lane.extend_from_slice(&number.to_ne_bytes());
        lane.extend_from_slice(&self.commands.to_ne_bytes());
        lane.extend_from_slice(&(self.bytes.len() as u64).to_ne_bytes());
        lane.extend_from_slice(&self.bytes);
    }
}

/// Writes a command as a RESP array of bulk strings, as the append-only file holds it.
pub(super) fn push_command<'w>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    push_head(out, b'*', words.len());
    for word in words {
        push_head(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn push_head(out: &mut Vec<u8>, sign: u8, number: usize) {
    let number = i64::try_from(number).expect("lengths of what is in memory");
    out.push(sign);
    out.extend_from_slice(crate::value::string::spell_int(number, &mut [0; 20]));
    out.extend_from_slice(b"\r\n");
}

/// A record as it lies in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) number: u64,
    pub(super) commands: u32,
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the beginning of `bytes`, if there is one.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (commands, rest) = rest.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        Some(Record {
            number: u64::from_ne_bytes(*number),
            commands: u32::from_ne_bytes(*commands),
            body: &rest[..u64::from_ne_bytes(*len) as usize],
        })
    }

    /// Bytes that it occupies in the lane.
    pub(super) fn size(self) -> usize {
        RECORD_HEAD + self.body.len()
    }

    /// Its commands, with their databases.
    pub(super) fn each(self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            let (db, tail) = rest.split_first_chunk()?;
            let (len, _) = tail.split_first_chunk()?;
            let end = COMMAND_HEAD + u64::from_ne_bytes(*len) as usize;
            let command = &rest[COMMAND_HEAD..end];
            rest = &rest[end..];
            Some((u32::from_ne_bytes(*db), command))
        })
    }
}
