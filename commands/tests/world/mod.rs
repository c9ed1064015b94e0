//! A store and one worker in process: runs requests as the server's dispatcher does, with a clock
//! that stands until it is moved.
//!
//! Each request is looked up in the table, its arity is tested, its shards are locked by its key
//! positions, the keys are declared (so that debug builds catch a handler that touches another),
//! the handler runs, and a `Verbatim` row that raised the dirty count is logged as it came.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses what it needs"
)]

use commands::spec::{CommandSpec, Locks, LogForm};
use commands::{Call, CommandError, Settings, keys, table};
use resp::{OwnedArgs, Proto, Reply};
use store::value::stream::StreamId;
use store::{EventClass, Merge, Object, Options, Plan, Scratch, Store, Stream, Turn, ValueRef};

/// Databases of a world: few, so that random ones meet.
pub(crate) const DATABASES: u32 = 4;

/// 2023, on a full second.
pub(crate) const BEGIN_MS: i64 = 1_700_000_000_000;

/// Database, key, value, deadline.
pub(crate) type Row = (u32, Vec<u8>, Vec<u8>, Option<i64>);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    kept: commands::Kept,
    pub(crate) db: u32,
    pub(crate) now_ms: i64,
    /// What the last request counted.
    pub(crate) dirty: u64,
    /// How many keys the last request declared, if it touched all of them; else 0.
    pub(crate) touched: usize,
    scratch: Scratch,
    log: Merge,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let store = Store::new(Options {
            databases: DATABASES,
            workers: 1,
            seed,
        });
        store.set_event_classes(EventClass::ALL);
        let mut scratch = Scratch::new();
        let log = {
            let turn = Turn::new(0, 0, BEGIN_MS, &mut scratch);
            let mut unit = store.begin(Plan::Wide, turn).expect("nobody else is here");
            unit.attach_log()
        };
        let settings = Settings {
            string_bytes_max: 512 << 20,
            databases: DATABASES,
            lfu: false,
            shares_integers: true,
            lazy_user_flush: false,
            lazy_user_del: false,
            lazy_expire: false,
            rdb_compression: true,
            rdb_dialect: rdb::Dialect::Redis,
            lfu_decay_minutes: 1,
            lfu_log_factor: 10,
            limits: commands::Limits::default(),
        };
        World {
            store,
            settings,
            kept: commands::Kept::default(),
            db: 0,
            now_ms: BEGIN_MS,
            dirty: 0,
            touched: 0,
            scratch,
            log,
        }
    }

    /// Runs a request; the reply as it would leave. SELECT is known, as the dispatcher knows it.
    pub(crate) fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Vec<u8> {
        (self.dirty, self.touched) = (0, 0);
        let owned = OwnedArgs::from_slices(words);
        let args = owned.as_args();
        if args.get(0).eq_ignore_ascii_case(b"select") {
            let db = std::str::from_utf8(args.get(1)).expect("a number");
            self.db = db.parse().expect("a number");
            return b"+OK\r\n".to_vec();
        }
        let mut reply = Reply::new(Proto::Resp2);
        let Some(spec) = find(args) else {
            return b"-ERR unknown command\r\n".to_vec();
        };
        if !spec.arity.accepts(args.len()) {
            return b"-ERR wrong number of arguments\r\n".to_vec();
        }
        let at: Vec<usize> = keys::positions(spec.keys, args).map(|(at, _)| at).collect();
        let shards: Vec<usize> = at
            .iter()
            .map(|at| self.store.key(args.get(*at)).shard())
            .collect();
        let locks = spec.locks.of(args);
        let plan = match (locks, &shards[..]) {
            (Locks::Wide | Locks::UnlessPattern, _) => Plan::Wide,
            (Locks::OneByOne, _) => Plan::OneByOne,
            (Locks::Keys, []) => Plan::Nothing,
            (Locks::Keys, [shard]) => Plan::Narrow(*shard),
            (Locks::Keys, several) => Plan::Several(several),
        };
        let turn = Turn::new(0, self.db, self.now_ms, &mut self.scratch);
        let mut unit = self.store.begin(plan, turn).expect("nobody else is here");
        if locks == Locks::Keys {
            unit.declare(at.iter().map(|at| args.get(*at)));
        }
        let mut call = Call {
            args,
            lone_key: None,
            unit: &mut unit,
            reply: &mut reply,
            settings: &self.settings,
            kept: &mut self.kept,
            may_block: false,
            later: None,
        };
        let mut result = (spec.run)(&mut call);
        let later = call.later.take();
        if spec.log == LogForm::Verbatim && unit.dirty_count() > 0 {
            unit.log_verbatim(args.iter());
        }
        if locks == Locks::Keys && unit.has_touched_all() {
            self.touched = at.len();
        }
        self.dirty = unit.finish().dirty;
        if let Some(later) = later {
            result = result.and_then(|()| later.say(&mut reply));
        }
        if let Err(error) = result {
            assert_ne!(error, CommandError::Busy, "nobody else is here");
            reply = Reply::new(Proto::Resp2);
            reply.error(error.text().as_bytes());
        }
        reply.output().to_vec()
    }

    /// Runs a request given as words between spaces; the reply's lines, joined by spaces.
    pub(crate) fn say(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let reply = String::from_utf8_lossy(&self.call(&words)).into_owned();
        reply.trim_end().replace("\r\n", " ")
    }

    /// The events since the last look: `db name key` each, those about misses left out.
    pub(crate) fn events(&mut self) -> Vec<String> {
        let events = self.scratch.events_mut();
        let seen = events
            .iter()
            .filter(|event| event.name != "keymiss")
            .map(|event| format!("{} {} {}", event.db, event.name, event.key.escape_ascii()))
            .collect();
        events.clear();
        seen
    }

    /// What the change log got since the last look: requests, SELECT, MULTI and EXEC included.
    pub(crate) fn logged(&mut self) -> Vec<Vec<Vec<u8>>> {
        let mut requests = Vec::new();
        self.log.drain(&mut |_: u64, mut bytes: &[u8]| {
            while !bytes.is_empty() {
                requests.push(parse(&mut bytes));
            }
        });
        requests
    }

    /// The same as lines of text.
    pub(crate) fn logged_lines(&mut self) -> Vec<String> {
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        self.logged()
            .iter()
            .map(|words| words.iter().map(text).collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// Every key that has not expired at `at_ms`, in order.
    pub(crate) fn digest(&mut self, at_ms: i64) -> Vec<Row> {
        let turn = Turn::new(0, 0, self.now_ms, &mut self.scratch);
        let mut unit = self
            .store
            .begin(Plan::OneByOne, turn)
            .expect("nobody else is here");
        let cut = unit.cut().expect("nobody else is here");
        drop(unit);
        let mut rows = Vec::new();
        for db in 0..DATABASES {
            for entry in cut
                .iter(db)
                .filter(|e| e.deadline().is_none_or(|d| at_ms <= d))
            {
                let value = content(entry.value());
                rows.push((db, entry.key().to_vec(), value, entry.deadline()));
            }
        }
        rows.sort();
        rows
    }
}

/// A value as bytes, equal for equal values whatever their form.
fn content(value: ValueRef<'_>) -> Vec<u8> {
    let object = match value {
        ValueRef::String(text) => return text.bytes(&mut [0; 20]).to_vec(),
        ValueRef::Object(object) => object,
    };
    let mut parts: Vec<Vec<u8>> = match &**object {
        Object::List(list) => list.iter().map(|element| element.to_vec()).collect(),
        Object::Set(set) => set.iter().map(|element| element.to_vec()).collect(),
        Object::SortedSet(set) => (set.iter())
            .map(|(score, member)| [&member.to_vec()[..], &score.to_be_bytes()].concat())
            .collect(),
        Object::Hash(hash) => (hash.iter())
            .map(|field| {
                let (name, value) = (field.name.to_vec(), field.value.to_vec());
                format!("{name:?} {value:?} {:?}", field.deadline).into_bytes()
            })
            .collect(),
        Object::Stream(stream) => stream_content(stream),
    };
    if !matches!(**object, Object::List(_)) {
        parts.sort();
    }
    parts.insert(0, format!("{:?}", object.kind()).into_bytes());
    parts.join(&0)
}

/// A stream without the times at which its consumers were seen: those are no part of the log, in Redis
/// neither.
fn stream_content(stream: &Stream) -> Vec<Vec<u8>> {
    let head = (
        stream.last_id(),
        stream.max_deleted_id(),
        stream.entries_added(),
    );
    let mut parts = vec![format!("{head:?}")];
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        let fields: Vec<_> = (entry.fields)
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        parts.push(format!("{:?} {fields:?}", entry.id));
    }
    for (name, group) in stream.groups() {
        parts.push(format!(
            "{name:?} {:?} {:?}",
            group.last_id, group.entries_read
        ));
        for (id, pending) in group.pending().iter() {
            let owner = group.owner_name(pending.owner);
            let (at, times) = (pending.delivered_ms, pending.deliveries);
            parts.push(format!("{name:?} {id} {at} {times} {owner:?}"));
        }
        let consumers = group.consumers().map(|consumer| consumer.name());
        parts.extend(consumers.map(|consumer| format!("{name:?} has {consumer:?}")));
    }
    parts.into_iter().map(String::into_bytes).collect()
}

/// The row of a request, of a subcommand its own.
fn find(args: resp::Args<'_>) -> Option<&'static CommandSpec> {
    let named = |spec: &CommandSpec, word: &[u8]| word.eq_ignore_ascii_case(spec.name.as_bytes());
    let rows = || table().iter().copied().flatten().copied();
    let row = rows().find(|spec| named(spec, args.get(0)))?;
    let sub = args
        .try_get(1)
        .and_then(|word| row.subcommands.iter().find(|sub| named(sub, word)));
    Some(sub.unwrap_or(row))
}

/// One request off the front of the log's bytes.
fn parse(bytes: &mut &[u8]) -> Vec<Vec<u8>> {
    let count = number(bytes, b'*');
    (0..count)
        .map(|_| {
            let length = number(bytes, b'$');
            let word = bytes[..length].to_vec();
            *bytes = &bytes[length + 2..];
            word
        })
        .collect()
}

fn number(bytes: &mut &[u8], sign: u8) -> usize {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\r')
        .expect("a line");
    assert_eq!(bytes[0], sign);
    let digits = std::str::from_utf8(&bytes[1..end]).expect("digits");
    *bytes = &bytes[end + 2..];
    digits.parse().expect("a number")
}
