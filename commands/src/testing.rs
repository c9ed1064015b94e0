//! The bench on which handlers are tried: a real store, one worker, a clock that stands still.
//!
//! It does what the server's dispatcher does around a handler: arity, locks by key positions,
//! declared keys, errors, the verbatim log. Replies are shown as they go over the wire, with
//! spaces for line ends (`*2 :1 $1 v`), so that a test reads as request and answer; `Effects`
//! shows what else came of a request.

use resp::{OwnedArgs, Proto, Reply};
use store::{EventClass, Merge, Options, Plan, Scratch, Store, Turn};

use crate::spec::{Keys, Locks, LogForm};
use crate::{Call, CommandSpec, Settings, keys};

/// The bench's time: long after 1970, so that small moments lie in the past.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) clock_ms: i64,
    scratch: Scratch,
    merge: Merge,
    reply: Reply,
    kept: crate::Kept,
}

/// What came of a request besides its reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) dirty: u64,
    /// `event key`, in order.
    pub(crate) events: Vec<String>,
    /// Logged commands, in order, without SELECT.
    pub(crate) log: Vec<String>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let store = Store::new(Options {
            databases: 16,
            workers: 1,
            seed: 7,
        });
        store.set_event_classes(EventClass::ALL);
        let mut scratch = Scratch::new();
        let turn = Turn::new(0, 0, NOW_MS, &mut scratch);
        let mut unit = store.begin(Plan::Wide, turn).expect("nobody else is there");
        let merge = unit.attach_log();
        unit.finish();
        let settings = Settings {
            string_bytes_max: 512 << 20,
            databases: 16,
            lfu: false,
            shares_integers: true,
            lazy_user_flush: false,
            lazy_user_del: false,
            lazy_expire: false,
            rdb_compression: true,
            rdb_dialect: rdb::Dialect::Redis,
            lfu_decay_minutes: 1,
            lfu_log_factor: 10,
            limits: crate::Limits::default(),
        };
        let reply = Reply::new(Proto::Resp2);
        Bench {
            store,
            settings,
            clock_ms: NOW_MS,
            scratch,
            merge,
            reply,
            kept: crate::Kept::default(),
        }
    }

    pub(crate) fn proto(&mut self, proto: Proto) {
        self.reply.set_proto(proto);
    }

    /// Runs a line of words, quoted as in redis-cli.
    pub(crate) fn run(&mut self, line: &str) -> (String, Effects) {
        let words = resp::split_words(line.as_bytes()).expect("balanced quotes");
        self.run_words(&OwnedArgs::from_slices(&words))
    }

    pub(crate) fn run_words(&mut self, words: &OwnedArgs) -> (String, Effects) {
        let args = words.as_args();
        let spec = row_of(args);
        if !spec.arity.accepts(args.len()) {
            return (
                "-ERR wrong number of arguments".to_owned(),
                Effects::default(),
            );
        }
        let touched: Vec<&[u8]> = keys::positions(spec.keys, args)
            .map(|(index, _)| args.get(index))
            .collect();
        let shards: Vec<usize> = touched
            .iter()
            .map(|key| self.store.key(key).shard())
            .collect();
        let locks = spec.locks.of(args);
        let plan = match locks {
            Locks::Wide | Locks::UnlessPattern => Plan::Wide,
            Locks::OneByOne => Plan::OneByOne,
            Locks::Keys if matches!(spec.keys, Keys::None) => Plan::Nothing,
            Locks::Keys => Plan::Several(&shards),
        };
        let turn = Turn::new(0, 0, self.clock_ms, &mut self.scratch);
        let mut unit = self.store.begin(plan, turn).expect("nobody else is there");
        if locks == Locks::Keys {
            unit.declare(touched.iter().copied());
        }
        let before = self.reply.mark();
        let (unit_ref, reply) = (&mut unit, &mut self.reply);
        let mut call = Call {
            args,
            lone_key: None,
            unit: unit_ref,
            reply,
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
        let done = unit.finish();
        if let Some(later) = later {
            assert_eq!(self.reply.len_since(before), 0, "all is said later");
            result = result.and_then(|()| later.say(&mut self.reply));
        }
        if let Err(error) = result {
            self.reply.truncate_to(before);
            self.reply.error(error.text().as_bytes());
        }
        let events = self.scratch.events_mut();
        let named = |e: store::Event<'_>| format!("{} {}", e.name, String::from_utf8_lossy(e.key));
        let shown = events.iter().map(named).collect();
        events.clear();
        let mut log = Vec::new();
        self.merge
            .drain(&mut |_: u64, commands: &[u8]| log.extend(logged(commands)));
        log.retain(|command| !command.starts_with("SELECT"));
        let said = self.reply.take(Vec::new()).to_vec();
        let said = String::from_utf8_lossy(&said);
        let said = said
            .strip_suffix("\r\n")
            .unwrap_or(&said)
            .replace("\r\n", " ");
        (
            said,
            Effects {
                dirty: done.dirty,
                events: shown,
                log,
            },
        )
    }

    /// The reply alone.
    pub(crate) fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(self.run(line).0, expected, "{line}");
    }

    /// Reply, dirty count, events (`new` and `keymiss` left out) and log, the last two joined
    /// by commas.
    pub(crate) fn effects(
        &mut self,
        line: &str,
        expected: &str,
        dirty: u64,
        events: &str,
        log: &str,
    ) {
        let (said, mut came) = self.run(line);
        came.events
            .retain(|e| !e.starts_with("new ") && !e.starts_with("keymiss "));
        assert_eq!(said, expected, "reply of {line}");
        assert_eq!(came.dirty, dirty, "dirty of {line}");
        assert_eq!(came.events.join(", "), events, "events of {line}");
        assert_eq!(came.log.join(", "), log, "log of {line}");
    }

    /// Everything that database 0 holds: key, value, deadline.
    pub(crate) fn contents(&mut self) -> Vec<(Vec<u8>, Vec<u8>, Option<i64>)> {
        let turn = Turn::new(0, 0, self.clock_ms, &mut self.scratch);
        let mut unit = self
            .store
            .begin(Plan::Wide, turn)
            .expect("nobody else is there");
        let cut = unit.cut().expect("all shards are held");
        let mut all: Vec<_> = cut
            .iter(0)
            .map(|entry| {
                let value = entry.string().map_or(b"another type".to_vec(), |value| {
                    value.bytes(&mut [0; 20]).to_vec()
                });
                (entry.key().to_vec(), value, entry.deadline())
            })
            .collect();
        all.sort();
        all
    }
}

/// The row of a request: the subcommand's, if there is one.
fn row_of(args: resp::Args<'_>) -> &'static CommandSpec {
    let name = String::from_utf8_lossy(args.get(0)).to_ascii_lowercase();
    let spec = find(&name).unwrap_or_else(|| panic!("no row for {name}"));
    let word = args.try_get(1).unwrap_or_default();
    let mut subcommands = spec.subcommands.iter();
    let is_named = |sub: &&CommandSpec| sub.name.as_bytes().eq_ignore_ascii_case(word);
    subcommands.find(is_named).unwrap_or(spec)
}

pub(crate) fn find(name: &str) -> Option<&'static CommandSpec> {
    crate::table()
        .iter()
        .copied()
        .flatten()
        .copied()
        .find(|spec| spec.name == name)
}

/// The commands of a record, words joined by spaces.
fn logged(mut bytes: &[u8]) -> Vec<String> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let words = length(&mut bytes, b'*');
        let mut line = Vec::new();
        for _ in 0..words {
            let len = length(&mut bytes, b'$');
            line.push(String::from_utf8_lossy(&bytes[..len]).into_owned());
            bytes = &bytes[len + 2..];
        }
        commands.push(line.join(" "));
    }
    commands
}

fn length(bytes: &mut &[u8], sigil: u8) -> usize {
    let end = memchr::memchr(b'\r', bytes).expect("a line");
    let (line, rest) = (&bytes[..end], &bytes[end + 2..]);
    assert_eq!(line[0], sigil, "well-formed RESP");
    *bytes = rest;
    resp::number::parse_u64(&line[1..]).expect("a length") as usize
}

mod random {
    //! Random requests: whatever the arguments, no handler panics, touches a key that it has not
    //! declared (the store asserts that in debug builds), or answers with other than one reply;
    //! and the log alone brings another store to the same state.

    use super::*;
    use proptest::prelude::*;

    const WORDS: &[&str] = &[
        "a",
        "b",
        "c",
        "list",
        "0",
        "1",
        "-1",
        "2",
        "3",
        "10",
        "100",
        "-100",
        "1.5",
        "inf",
        "x",
        "",
        "9223372036854775807",
        "-9223372036854775808",
        "1700000100000",
        "1600000000",
        "#1",
        "u8",
        "i64",
        "u63",
        "i5",
        "0123456789abcdef",
        "ten",
        "3.0e3",
    ];

    /// A request: a command, then keys, numbers and the command's own option words.
    fn request(names: Vec<&'static str>) -> impl Strategy<Value = Vec<String>> {
        proptest::sample::select(names).prop_flat_map(|name| {
            let syntax = find(name).expect("a row").syntax;
            let own: Vec<String> = syntax
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|w| !w.is_empty() && !w.contains(|c: char| c.is_ascii_lowercase()))
                .map(str::to_owned)
                .collect();
            let common: Vec<String> = WORDS.iter().map(|w| (*w).to_owned()).collect();
            let own = if own.is_empty() { common.clone() } else { own };
            let word = prop_oneof![
                3 => proptest::sample::select(vec!["a".to_owned(), "b".into(), "c".into()]),
                4 => proptest::sample::select(common),
                3 => proptest::sample::select(own),
            ];
            proptest::collection::vec(word, 0..9).prop_map(move |mut words| {
                words.insert(0, name.to_owned());
                words
            })
        })
    }

    fn names(families: &[&[&'static CommandSpec]]) -> Vec<&'static str> {
        families
            .iter()
            .flat_map(|rows| rows.iter().map(|spec| spec.name))
            .collect()
    }

    fn run_all(bench: &mut Bench, requests: &[Vec<String>]) -> Vec<String> {
        let mut log = Vec::new();
        for words in requests {
            let (said, effects) = bench.run_words(&OwnedArgs::from_slices(words));
            assert!(!said.is_empty(), "{words:?} has no reply");
            log.extend(effects.log);
        }
        log
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_request_panics_or_strays(
            requests in proptest::collection::vec(request(names(crate::table())), 1..30),
        ) {
            let mut bench = Bench::new();
            bench.settings.string_bytes_max = 1 << 20;
            run_all(&mut bench, &requests);
        }

        #[test]
        fn the_log_alone_makes_the_same_data(
            requests in proptest::collection::vec(
                request(names(&[crate::string::ROWS, crate::bitmap::ROWS])), 1..60),
        ) {
            let mut bench = Bench::new();
            bench.settings.string_bytes_max = 1 << 20;
            // The empty word is lost when a logged line is split again; no value needs it here.
            let requests: Vec<_> = requests
                .into_iter()
                .map(|words| words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>())
                .collect();
            let log = run_all(&mut bench, &requests);
            // Another clock: nothing in the log may depend on the reader's.
            let mut other = Bench::new();
            other.clock_ms = NOW_MS - 5_000;
            for line in log.iter().filter(|line| !matches!(line.as_str(), "MULTI" | "EXEC")) {
                let words: Vec<&str> = line.split(' ').collect();
                other.run_words(&OwnedArgs::from_slices(&words));
            }
            prop_assert_eq!(other.contents(), bench.contents(), "{:?}", log);
        }
    }
}
