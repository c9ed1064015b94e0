//! From entries to a file's bytes.
//!
//! An encoder keeps no place in the file: several, one a thread, may each make parts of it, as
//! long as the bytes are put behind one another as `mod.rs` draws them.

use store::{AccessPolicy, EntryRef, Seen, Str};

use super::decode::NO_DEADLINE;
use crate::crc;
use crate::dump;
use crate::form::Form;
use crate::format::{self, opcode};
use crate::length;
use crate::lzf::Compressor;
use crate::out::{HandOn, Out};
use crate::string;

/// What a file says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Header<'h> {
    /// The version of Redis that we answer for.
    pub redis_version: &'h str,
    /// When it was made, in seconds since 1970.
    pub created_s: i64,
    /// What the server's memory was.
    pub used_memory_bytes: u64,
    /// Whether it is the base of an append-only file.
    pub is_aof_base: bool,
}

/// Makes the bytes of (parts of) one file.
#[derive(Debug)]
pub struct Encoder {
    form: Form,
    compressor: Option<Compressor>,
    access: Option<AccessPolicy>,
    now_ms: i64,
}

impl Encoder {
    /// An encoder of files of this form. Long strings are compressed if `compress`
    /// (`rdbcompression`).
    #[must_use]
    pub fn new(form: Form, compress: bool) -> Self {
        Encoder {
            form,
            compressor: compress.then(Compressor::new),
            access: None,
            now_ms: 0,
        }
    }

    /// Writes with each key when or how often it was used, as its clock runs under `policy`, seen
    /// from `now_ms` (the cut's time). For policies of eviction that ask.
    #[must_use]
    pub fn with_access(self, policy: AccessPolicy, now_ms: i64) -> Self {
        Encoder {
            access: Some(policy),
            now_ms,
            ..self
        }
    }

    /// Appends the file's head: magic, version, and what it says about itself.
    pub fn begin(&mut self, header: &Header<'_>, out: &mut Vec<u8>) {
        let version = self.form.file_version();
        let magic = if format::is_valkey(version) {
            format!("VALKEY{version:03}")
        } else {
            format!("REDIS{version:04}")
        };
        out.extend_from_slice(magic.as_bytes());
        let bits = u64::from(usize::BITS);
        self.aux("redis-ver", header.redis_version, out);
        self.aux("redis-bits", &bits.to_string(), out);
        self.aux("ctime", &header.created_s.to_string(), out);
        self.aux("used-mem", &header.used_memory_bytes.to_string(), out);
        let is_aof_base = u8::from(header.is_aof_base);
        self.aux("aof-base", &is_aof_base.to_string(), out);
    }

    fn aux(&mut self, name: &str, value: &str, out: &mut Vec<u8>) {
        let mut out = Out::payload(out, self.compressor.as_mut());
        out.push(opcode::AUX);
        string::write(Str::Bytes(name.as_bytes()), &mut out);
        string::write(Str::Bytes(value.as_bytes()), &mut out);
    }

    /// Appends the line that announces the entries of database `db`, of which there are `keys`,
    /// `expires` of them with a deadline. The numbers are hints.
    pub fn database(&mut self, db: u32, keys: u64, expires: u64, out: &mut Vec<u8>) {
        let mut out = Out::payload(out, None);
        out.push(opcode::SELECT_DB);
        length::write(u64::from(db), &mut out);
        out.push(opcode::RESIZE_DB);
        length::write(keys, &mut out);
        length::write(expires, &mut out);
    }

    /// Appends an entry. Whenever more than a mebibyte stands in `out`, `hand_on` is called to take
    /// it: within an entry too, and never for the entry's last bytes.
    pub fn entry(&mut self, entry: EntryRef<'_>, out: &mut Vec<u8>, hand_on: HandOn<'_>) {
        let mut out = Out::payload(out, self.compressor.as_mut())
            .in_form(self.form)
            .handing_on(hand_on);
        if let Some(deadline) = entry.deadline().filter(|at| *at != NO_DEADLINE) {
            out.push(opcode::EXPIRE_TIME_MS);
            out.extend(&deadline.to_le_bytes());
        }
        match self
            .access
            .map(|policy| entry.access().seen(policy, self.now_ms))
        {
            Some(Seen::IdleSeconds(seconds)) => {
                out.push(opcode::IDLE);
                length::write(seconds, &mut out);
            }
            Some(Seen::Frequency(frequency)) => {
                out.push(opcode::FREQ);
                out.push(frequency);
            }
            None => {}
        }
        dump::write_value(entry.value(), &mut out.with_key(entry.key()));
    }
}

/// A file's last bytes. `checksum` has run over all before them; without one (`rdbchecksum no`)
/// readers do not compare.
#[must_use]
pub fn end(checksum: Option<crc::Running>) -> [u8; 9] {
    let checksum = checksum.map_or(0, |mut running| {
        running.add(&[opcode::EOF]);
        running.value()
    });
    let mut bytes = [opcode::EOF; 9];
    bytes[1..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
