//! Is a file sound? What `redis-check-rdb` says of it, line by line.
//!
//! ```text
//!   [offset 0] Checking RDB file dump.rdb
//!   [offset 27] AUX FIELD redis-ver = '7.0.15'          offsets are those behind what is told
//!   [offset 82] Selecting DB ID 0
//!   [offset 1683] Checksum OK                           or --- RDB ERROR DETECTED --- and what was being read
//!   [offset 1683] \o/ RDB looks OK! \o/
//!   [info] 35 keys read
//! ```
//!
//! Every value is decoded and dropped again, so what this calls sound can be loaded. Modules' data is
//! passed over by its own marks, as Redis's tool does it, although no server of ours loads it.
//!
//! Bytes behind the end are an error here, because they are one when the file is loaded; Redis's tool
//! does not look at them. An empty container is an error here as there, although loading passes over it.
//!
//! Checked by: `tests/check.rs`, beside what Redis 7.0.15's tool said.

use std::io::Write as _;

use store::{Limits, Options, Store};

use crate::file::{Batch, Fault, FileError, Item, Skimmer, Value};
use crate::format::{VERSION_CHECKSUM, types};
use crate::input::Malformed;

/// A file on its way through the check. Lines are appended to the `out` of each call.
#[derive(Debug)]
pub struct Check {
    skimmer: Skimmer,
    now_ms: i64,
    /// Elements are hashed with the secrets of the process's first store.
    _secrets: Store,
    keys: u64,
    expires: u64,
    expired: u64,
    end: Option<(u64, bool)>,
}

impl Check {
    /// Before the first byte of the file of this name. `now_ms` tells what has expired; `seed` must
    /// not be known to whoever made the file.
    #[must_use]
    pub fn begin(name: &[u8], now_ms: i64, seed: u64, out: &mut Vec<u8>) -> Check {
        out.extend_from_slice(b"[offset 0] Checking RDB file ");
        out.extend_from_slice(name);
        out.push(b'\n');
        Check {
            skimmer: Skimmer::new(true),
            now_ms,
            _secrets: Store::new(Options {
                databases: 1,
                workers: 1,
                seed,
            }),
            keys: 0,
            expires: 0,
            expired: 0,
            end: None,
        }
    }

    /// Takes the file's next bytes; whether it is worth going on. If not, all has been said.
    #[must_use]
    pub fn feed(&mut self, block: &[u8], out: &mut Vec<u8>) -> bool {
        let result = self.take(block, out);
        self.report(result, out)
    }

    /// The file is at its end; whether it is sound.
    #[must_use]
    pub fn finish(mut self, out: &mut Vec<u8>) -> bool {
        let result = self.skimmer.finish();
        if !self.report(result, out) {
            return false;
        }
        if let Some((offset, checked)) = self.end {
            let sum = if checked {
                "Checksum OK"
            } else {
                "RDB file was saved with checksum disabled: no check performed."
            };
            if self.skimmer.version() >= VERSION_CHECKSUM {
                line(out, format_args!("[offset {offset}] {sum}"));
            }
            line(
                out,
                format_args!("[offset {offset}] \\o/ RDB looks OK! \\o/"),
            );
        }
        self.sums(out);
        true
    }

    fn take(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<(), FileError> {
        self.skimmer.feed(block)?;
        while let Some(item) = self.skimmer.next_item()? {
            let offset = self.skimmer.offset();
            match item {
                Item::Begin { .. } | Item::Sizes { .. } | Item::Function(_) => {}
                Item::Aux { name, value } => {
                    let _ = write!(out, "[offset {offset}] AUX FIELD ");
                    out.extend_from_slice(&name);
                    out.extend_from_slice(b" = '");
                    out.extend_from_slice(&value);
                    out.extend_from_slice(b"'\n");
                }
                Item::ModuleAux(name) => {
                    line(
                        out,
                        format_args!("[offset {offset}] MODULE AUX for: {name}"),
                    );
                }
                Item::Database(db) => {
                    line(out, format_args!("[offset {offset}] Selecting DB ID {db}"));
                }
                Item::Records(batch) => self.records(&batch)?,
                Item::End { bytes, checked } => self.end = Some((bytes, checked)),
            }
        }
        Ok(())
    }

    fn records(&mut self, batch: &Batch) -> Result<(), FileError> {
        for record in batch.records(&Limits::default()) {
            let record = record?;
            if matches!(record.value, Value::Empty) {
                return Err(batch.refuse(&record, Malformed::Empty.into()));
            }
            self.keys += 1;
            if let Some(at) = record.deadline {
                self.expires += 1;
                self.expired += u64::from(at < self.now_ms);
            }
        }
        Ok(())
    }

    /// Says what is wrong, if something is.
    fn report(&mut self, result: Result<(), FileError>, out: &mut Vec<u8>) -> bool {
        let Err(error) = result else {
            return true;
        };
        let offset = error.offset;
        line(out, format_args!("--- RDB ERROR DETECTED ---"));
        match &error.fault {
            Fault::Type(number) => {
                line(
                    out,
                    format_args!("[offset {offset}] Invalid object type: {number}"),
                );
            }
            Fault::Checksum { .. } => line(out, format_args!("[offset {offset}] RDB CRC error")),
            other => line(out, format_args!("[offset {offset}] {other}")),
        }
        let doing = error.doing.name();
        line(out, format_args!("[additional info] While doing: {doing}"));
        // Redis's tool takes the first key for a string until it has read it.
        let number = error.number.or((self.keys == 0).then_some(types::STRING));
        if let Some(key) = &error.key {
            out.extend_from_slice(b"[additional info] Reading key '");
            out.extend_from_slice(key);
            out.extend_from_slice(b"'\n");
            self.keys += 1;
        }
        if let Some(number) = number {
            let name = type_name(number, self.skimmer.version());
            line(
                out,
                format_args!("[additional info] Reading type {number} ({name})"),
            );
        }
        self.sums(out);
        false
    }

    fn sums(&self, out: &mut Vec<u8>) {
        line(out, format_args!("[info] {} keys read", self.keys));
        line(out, format_args!("[info] {} expires", self.expires));
        line(out, format_args!("[info] {} already expired", self.expired));
    }
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a vector takes all bytes");
}

/// What Redis's tool calls a type.
fn type_name(number: u8, version: u16) -> &'static str {
    match number {
        types::STRING => "string",
        types::LIST => "list-linked",
        types::SET => "set-hashtable",
        types::ZSET => "zset-v1",
        types::HASH => "hash-hashtable",
        types::ZSET_2 => "zset-v2",
        types::MODULE_CANDIDATE | types::MODULE => "module-value",
        types::HASH_ZIPMAP => "hash-zipmap",
        types::LIST_ZIPLIST => "list-ziplist",
        types::SET_INTSET => "set-intset",
        types::ZSET_ZIPLIST => "zset-ziplist",
        types::HASH_ZIPLIST => "hash-ziplist",
        types::LIST_QUICKLIST => "quicklist",
        types::STREAM_LISTPACKS => "stream",
        types::HASH_LISTPACK => "hash-listpack",
        types::ZSET_LISTPACK => "zset-listpack",
        types::LIST_QUICKLIST_2 => "quicklist-v2",
        types::STREAM_LISTPACKS_2 => "stream-v2",
        types::SET_LISTPACK => "set-listpack",
        types::STREAM_LISTPACKS_3 => "stream-v3",
        types::HASH_VALKEY if crate::format::is_valkey(version) => "hash-v2",
        types::HASH_METADATA => "hash-hashtable-md",
        types::HASH_LISTPACK_EX => "hash-listpack-md",
        _ => "unknown",
    }
}
