//! The command line: every flag of `redis-cli` 7.0, and the later ones that scripts use.
//!
//! Flags stand in front of the command; the first word that is none begins it. A wrong use is an
//! `End` with the text and the exit code that `redis-cli` has for it.
//!
//! A host, a file name or a password may be any bytes on some systems, so words stay bytes.
//!
//! Checked by: tests below; `xtask/src/client/beside.rs`, which asks both programs.

use crate::show::Form;
use crate::{uri, usage};

/// The program has said what there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: i32,
    /// For standard output when the code is 0, for standard error otherwise.
    pub(crate) text: String,
}

impl End {
    pub(crate) fn wrong(text: impl Into<String>) -> End {
        End {
            code: 1,
            text: text.into(),
        }
    }

    fn answer(text: String) -> End {
        End { code: 0, text }
    }
}

/// What is done instead of sending a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The command of the rest of the line; without one, the prompt.
    Commands,
    Latency {
        history: bool,
    },
    LatencyDistribution,
    Replica,
    /// Into this file; of the functions only, or all.
    Rdb {
        file: Vec<u8>,
        functions: bool,
    },
    Pipe,
    BigKeys,
    /// Bytes; how many elements of a key are looked at.
    MemoryKeys(Option<u64>),
    /// How many elements of a key are looked at.
    KeyStats(Option<u64>),
    HotKeys,
    Stat,
    Scan,
    LruTest(u64),
    IntrinsicLatency(u64),
    Eval(Vec<u8>),
}

/// Which protocol version the options want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// As the server begins: version 2.
    Unsaid,
    Two,
    /// `-3`: not to get it is an error.
    Three,
    /// `--json` wants maps, and does without.
    ThreeIfThere,
}

/// The command line, understood.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) ask_password: bool,
    pub(crate) warn_of_password: bool,
    pub(crate) database: i32,
    pub(crate) protocol: Protocol,
    pub(crate) connect_timeout_s: f64,
    /// Negative: without end.
    pub(crate) repeat: i64,
    pub(crate) interval_us: u64,
    pub(crate) stdin_last: bool,
    pub(crate) stdin_tag: Option<Vec<u8>>,
    pub(crate) quoted_input: bool,
    pub(crate) form: Form,
    pub(crate) show_pushes: bool,
    pub(crate) between_elements: Vec<u8>,
    pub(crate) behind_replies: Vec<u8>,
    pub(crate) cluster: bool,
    pub(crate) errors_end: bool,
    pub(crate) mode: Mode,
    pub(crate) pattern: Option<Vec<u8>>,
    pub(crate) count: Option<u64>,
    pub(crate) cursor: u64,
    pub(crate) top: usize,
    pub(crate) pipe_timeout_s: u64,
    pub(crate) monochrome: bool,
    /// The command and its arguments.
    pub(crate) words: Vec<Vec<u8>>,
}

impl Options {
    fn new(terminal: bool) -> Options {
        Options {
            host: "127.0.0.1".into(),
            port: 6379,
            socket: None,
            password: None,
            user: None,
            ask_password: false,
            warn_of_password: true,
            database: 0,
            protocol: Protocol::Unsaid,
            connect_timeout_s: 0.0,
            repeat: 1,
            interval_us: 0,
            stdin_last: false,
            stdin_tag: None,
            quoted_input: false,
            form: if terminal { Form::People } else { Form::Raw },
            show_pushes: terminal,
            between_elements: b"\n".to_vec(),
            behind_replies: b"\n".to_vec(),
            cluster: false,
            errors_end: false,
            mode: Mode::Commands,
            pattern: None,
            count: None,
            cursor: 0,
            top: 10,
            pipe_timeout_s: 30,
            monochrome: false,
            words: Vec::new(),
        }
    }

    /// `--json` and its kin: a form that wants RESP3.
    fn json(&mut self, form: Form) {
        if self.protocol == Protocol::Unsaid {
            self.protocol = Protocol::ThreeIfThere;
        }
        self.form = form;
    }
}

/// What is only known when all flags have been read.
#[derive(Default)]
struct Seen {
    two: bool,
    rdb: bool,
    functions_rdb: bool,
    debugger: bool,
}

/// Reads the words behind the program's name. `terminal`: whether people read the output.
pub(crate) fn parse(words: &[Vec<u8>], terminal: bool) -> Result<Options, End> {
    let mut options = Options::new(terminal);
    let mut seen = Seen::default();
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        if !word.starts_with(b"-") {
            break;
        }
        if let Some(then) = plain(&mut options, &mut seen, word, behind)? {
            rest = then;
            continue;
        }
        let unknown = || {
            let word = String::from_utf8_lossy(word);
            End::wrong(format!(
                "Unrecognized option or bad number of args for: '{word}'\n"
            ))
        };
        let [value, then @ ..] = behind else {
            return Err(unknown());
        };
        if !with_value(&mut options, &mut seen, word, value)? {
            return Err(unknown());
        }
        rest = then;
    }
    options.words = rest.to_vec();
    agree(&options, &seen)?;
    if seen.two {
        options.protocol = Protocol::Two;
    }
    Ok(options)
}

/// Flags without a value, and those that end the program; gives the words behind, when it is one.
fn plain<'w>(
    options: &mut Options,
    seen: &mut Seen,
    word: &[u8],
    behind: &'w [Vec<u8>],
) -> Result<Option<&'w [Vec<u8>]>, End> {
    match word {
        b"-h" if behind.is_empty() => return Err(End::answer(usage::text())),
        b"--help" => return Err(End::answer(usage::text())),
        b"-v" | b"--version" => return Err(End::answer(format!("{}\n", usage::version()))),
        b"-x" => options.stdin_last = true,
        b"--no-auth-warning" => options.warn_of_password = false,
        b"--askpass" => options.ask_password = true,
        b"--raw" => options.form = Form::Raw,
        b"--no-raw" => options.form = Form::People,
        b"--csv" => options.form = Form::Csv,
        b"--json" => options.json(Form::Json),
        b"--quoted-json" => options.json(Form::QuotedJson),
        b"--quoted-input" => options.quoted_input = true,
        b"--latency" => options.mode = Mode::Latency { history: false },
        b"--latency-history" => options.mode = Mode::Latency { history: true },
        b"--latency-dist" => options.mode = Mode::LatencyDistribution,
        b"--mono" => options.monochrome = true,
        b"--slave" | b"--replica" => options.mode = Mode::Replica,
        b"--stat" => options.mode = Mode::Stat,
        b"--scan" => options.mode = Mode::Scan,
        b"--pipe" => options.mode = Mode::Pipe,
        b"--bigkeys" => options.mode = Mode::BigKeys,
        b"--memkeys" => options.mode = Mode::MemoryKeys(None),
        b"--keystats" => options.mode = Mode::KeyStats(None),
        b"--hotkeys" => options.mode = Mode::HotKeys,
        b"--ldb" | b"--ldb-sync-mode" => seen.debugger = true,
        b"-c" => options.cluster = true,
        b"-e" => options.errors_end = true,
        b"-2" => seen.two = true,
        b"-3" => options.protocol = Protocol::Three,
        // For scripts: beyond cluster management there is nothing more to say.
        b"--verbose" => {}
        b"--tls" | b"--insecure" => return Err(no_tls()),
        b"--cluster" => return Err(End::wrong(NO_CLUSTER)),
        _ if is_cluster_detail(word) => return Err(End::wrong(NO_CLUSTER)),
        _ => return Ok(None),
    }
    Ok(Some(behind))
}

/// Flags with a value; whether it is one.
fn with_value(
    options: &mut Options,
    seen: &mut Seen,
    word: &[u8],
    value: &[u8],
) -> Result<bool, End> {
    let text = || String::from_utf8_lossy(value).into_owned();
    match word {
        b"-h" => options.host = text(),
        b"-p" => options.port = port(value)?,
        b"-s" => options.socket = Some(value.to_vec()),
        b"-a" | b"--pass" => options.password = Some(value.to_vec()),
        b"--user" => options.user = Some(value.to_vec()),
        b"-u" => uri::read(value, options)?,
        b"-r" => options.repeat = leading(value),
        // Negative and unreadable intervals are none.
        b"-i" => options.interval_us = (float(value) * 1e6) as u64,
        b"-t" => options.connect_timeout_s = float(value),
        b"-n" => options.database = leading(value) as i32,
        b"-X" => options.stdin_tag = Some(value.to_vec()),
        b"-d" => options.between_elements = value.to_vec(),
        b"-D" => options.behind_replies = value.to_vec(),
        b"--lru-test" => options.mode = Mode::LruTest(natural(value)),
        b"--intrinsic-latency" => options.mode = Mode::IntrinsicLatency(natural(value)),
        b"--memkeys-samples" => options.mode = Mode::MemoryKeys(Some(natural(value))),
        b"--keystats-samples" => options.mode = Mode::KeyStats(Some(natural(value))),
        b"--pattern" => options.pattern = Some(value.to_vec()),
        b"--quoted-pattern" => {
            options.pattern = Some(unquote(value).ok_or_else(|| {
                End::wrong("Invalid quoted string specified for --quoted-pattern.\n")
            })?);
        }
        b"--count" => options.count = Some(natural(value)),
        b"--cursor" => options.cursor = natural(value),
        b"--top" => options.top = natural(value) as usize,
        b"--pipe-timeout" => options.pipe_timeout_s = natural(value),
        b"--rdb" | b"--functions-rdb" => {
            let functions = word == b"--functions-rdb";
            seen.rdb |= !functions;
            seen.functions_rdb |= functions;
            options.mode = Mode::Rdb {
                file: value.to_vec(),
                functions,
            };
        }
        b"--eval" => options.mode = Mode::Eval(value.to_vec()),
        b"--show-pushes" => match value.first().map(u8::to_ascii_lowercase) {
            Some(b'y') => options.show_pushes = true,
            Some(b'n') => options.show_pushes = false,
            _ => eprintln!(
                "Unknown --show-pushes value '{}' (valid: '[y]es', '[n]o')",
                text()
            ),
        },
        b"--sni"
        | b"--cacertdir"
        | b"--cacert"
        | b"--cert"
        | b"--key"
        | b"--tls-ciphers"
        | b"--tls-ciphersuites" => return Err(no_tls()),
        _ => return Ok(false),
    }
    Ok(true)
}

const NO_CLUSTER: &str = "\
--cluster needs a cluster, and this build has no clusters yet: there is nothing to create, check or mend.
To follow the redirections of a cluster that runs elsewhere, use -c.
";

pub(crate) fn no_tls() -> End {
    End::wrong("this build has no TLS: connect without it, or through a tunnel\n")
}

fn is_cluster_detail(word: &[u8]) -> bool {
    word.starts_with(b"--cluster-")
}

/// What may not stand together.
fn agree(options: &Options, seen: &Seen) -> Result<(), End> {
    if options.socket.is_some() && options.cluster {
        return Err(End::wrong("Options -c and -s are mutually exclusive.\n"));
    }
    if seen.two && options.protocol == Protocol::Three {
        return Err(End::wrong("Options -2 and -3 are mutually exclusive.\n"));
    }
    if seen.debugger {
        return Err(End::wrong(match options.mode {
            Mode::Eval(_) => {
                "--ldb: this build has no Lua debugger. Without it, --eval runs the script.\n"
            }
            _ => {
                "Options --ldb and --ldb-sync-mode require --eval.\nTry redstart-cli --help for more information.\n"
            }
        }));
    }
    if seen.rdb && seen.functions_rdb {
        return Err(End::wrong(
            "Option --functions-rdb and --rdb are mutually exclusive.\n",
        ));
    }
    if options.stdin_last && options.stdin_tag.is_some() {
        return Err(End::wrong("Options -x and -X are mutually exclusive.\n"));
    }
    Ok(())
}

/// A word in quotes that is exactly one word.
pub(crate) fn unquote(word: &[u8]) -> Option<Vec<u8>> {
    let mut words = resp::split_words(word).ok()?.into_iter();
    match (words.next(), words.next()) {
        (Some(word), None) => Some(word),
        _ => None,
    }
}

pub(crate) fn port(text: &[u8]) -> Result<u16, End> {
    u16::try_from(leading(text)).map_err(|_| {
        let text = String::from_utf8_lossy(text);
        End::wrong(format!(
            "Invalid port '{text}': it is a number up to 65535\n"
        ))
    })
}

/// The number at the beginning, as C's `atoi` reads it: nothing of the kind is 0.
pub(crate) fn leading(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    let value = digits.fold(0i64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    if negative { -value } else { value }
}

fn natural(text: &[u8]) -> u64 {
    u64::try_from(leading(text)).unwrap_or(0)
}

fn float(text: &[u8]) -> f64 {
    resp::number::parse_f64(text).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, End> {
        let words = resp::split_words(line.as_bytes()).expect("balanced");
        parse(&words, true)
    }

    fn wrong(line: &str, text: &str) {
        let end = read(line).expect_err(line);
        assert!(end.code == 1 && end.text.contains(text), "{line}: {end:?}");
    }

    #[test]
    fn flags_stand_before_the_command() {
        let options = read("-h ::1 -p 7000 -n 3 -r -1 -i 0.25 -a x GET -n").expect("fine");
        assert_eq!((options.host.as_str(), options.port), ("::1", 7000));
        assert_eq!((options.database, options.repeat), (3, -1));
        assert_eq!(options.interval_us, 250_000);
        assert_eq!(options.words, [b"GET".to_vec(), b"-n".to_vec()]);
    }

    #[test]
    fn the_form_follows_the_output_and_the_flags() {
        assert_eq!(read("").expect("fine").form, Form::People);
        assert_eq!(parse(&[], false).expect("fine").form, Form::Raw);
        let json = read("--json").expect("fine");
        assert_eq!(
            (json.form, json.protocol),
            (Form::Json, Protocol::ThreeIfThere)
        );
        assert_eq!(read("--json -2").expect("fine").protocol, Protocol::Two);
        assert_eq!(read("-3 --json").expect("fine").protocol, Protocol::Three);
    }

    #[test]
    fn wrong_uses_say_so() {
        wrong("-X", "Unrecognized option or bad number of args for: '-X'");
        wrong("--nonsense", "'--nonsense'");
        wrong("-x -X tag", "-x and -X are mutually exclusive");
        wrong("-2 -3", "-2 and -3 are mutually exclusive");
        wrong("-c -s /s", "-c and -s are mutually exclusive");
        wrong("--rdb a --functions-rdb b", "mutually exclusive");
        wrong("--ldb", "require --eval");
        wrong("--ldb --eval x", "no Lua debugger");
        wrong("--tls", "this build has no TLS");
        wrong("--cacert x", "this build has no TLS");
        wrong("--cluster create", "needs a cluster");
        wrong("--quoted-pattern '\"a'", "--quoted-pattern");
        wrong("-p 70000", "65535");
    }

    #[test]
    fn answers_end_with_zero() {
        for line in ["--help", "-h", "--version", "-v"] {
            assert_eq!(read(line).expect_err(line).code, 0);
        }
    }

    #[test]
    fn numbers_are_read_as_far_as_they_are_numbers() {
        assert_eq!(leading(b" 12x"), 12);
        assert_eq!(leading(b"-7"), -7);
        assert_eq!(leading(b"x"), 0);
    }
}
