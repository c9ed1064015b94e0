//! A connection with what belongs to it: login, database, protocol, transaction; and what a command
//! does to them.
//!
//! ```text
//!   issue ─▶ connect when there is none ─▶ send, receive, show ─▶ note (SELECT, MULTI, …)
//!     ▲                                          │ MOVED, ASK with -c
//!     └────────── to the other server ───────────┘
//! ```
//!
//! I1  `database` is what the server has selected for this connection, `wanted` what the user wants;
//!     they differ only until `select` has run.
//! I2  No connection: no transaction, database 0.
//!
//! Checked by: tests below; `cargo xtask client`.

use crate::connection::{Connection, Lost, Place};
use crate::options::{Options, Protocol};
use crate::show::{Form, Style};
use crate::{interrupt, modes, out};
use resp::client::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Something failed, and the user has been told.
#[derive(Debug)]
pub(crate) struct Told;

/// The state of one run of the program.
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) style: Style,
    pub(crate) connection: Option<Connection>,
    /// Where the server is: changes with redirections and `connect`.
    pub(crate) place: Place,
    /// People type and see what happens; a lost connection does not end the program.
    pub(crate) interactive: bool,
    database: i32,
    wanted: i32,
    protocol: Protocol,
    in_multi: bool,
    database_before_multi: i32,
    /// The next connection is to where a reply has sent us.
    redirected: bool,
    asking: bool,
}

/// What a command makes of the replies that follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// One reply.
    Reply,
    /// The last reply is that the connection ends.
    Shutdown,
    /// Lines without end.
    Monitor,
    /// Messages without end.
    Subscribe,
    /// A replica's stream.
    Replica,
}

impl Session {
    pub(crate) fn new(options: Options) -> Session {
        let place = match &options.socket {
            Some(path) => Place::Local(path.clone()),
            None => Place::Tcp(options.host.clone(), options.port),
        };
        Session {
            style: Style {
                form: options.form,
                between_elements: options.between_elements.clone(),
                behind_replies: options.behind_replies.clone(),
            },
            connection: None,
            place,
            interactive: false,
            database: 0,
            wanted: options.database,
            protocol: options.protocol,
            in_multi: false,
            database_before_multi: 0,
            redirected: false,
            asking: false,
            options,
        }
    }

    /// The text before the cursor.
    pub(crate) fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".into();
        }
        let place = match &self.place {
            Place::Local(_) => format!("redis {}", self.place),
            Place::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp(..) => self.place.to_string(),
        };
        let database = match self.database {
            0 => String::new(),
            number => format!("[{number}]"),
        };
        let transaction = if self.in_multi { "(TX)" } else { "" };
        format!("{place}{database}{transaction}> ")
    }

    /// Makes a new connection and brings it to where the old one was. `quiet`: says nothing when nobody
    /// listens there.
    pub(crate) fn connect(&mut self, quiet: bool) -> Result<(), Told> {
        self.connection = None;
        self.database = 0;
        self.in_multi = false;
        let timeout = (self.options.connect_timeout_s > 0.0)
            .then(|| Duration::try_from_secs_f64(self.options.connect_timeout_s).ok())
            .flatten();
        match Connection::open(&self.place, timeout) {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => {
                if !quiet {
                    let text = os::files::error_text(&error);
                    eprintln!("Could not connect to Redis at {}: {text}", self.place);
                }
                return Err(Told);
            }
        }
        self.log_in()?;
        self.select()?;
        self.switch_protocol()
    }

    /// The connection, for modes that talk for themselves.
    pub(crate) fn connected(&mut self) -> Result<&mut Connection, Told> {
        if self.connection.is_none() {
            self.connect(false)?;
        }
        self.connection.as_mut().ok_or(Told)
    }

    /// A request of our own; a lost connection is told.
    fn ask(&mut self, words: &[&[u8]]) -> Result<Value, Told> {
        let connection = self.connection.as_mut().ok_or(Told)?;
        connection.ask(words).map_err(|_| {
            eprintln!("\nI/O error");
            Told
        })
    }

    fn log_in(&mut self) -> Result<(), Told> {
        let Some(password) = self.options.password.clone() else {
            return Ok(());
        };
        let user = self.options.user.clone();
        let words: Vec<&[u8]> = match &user {
            Some(user) => vec![b"AUTH", user, &password],
            None => vec![b"AUTH", &password],
        };
        match self.ask(&words)? {
            Value::Error(text) => {
                eprintln!("AUTH failed: {}", String::from_utf8_lossy(&text));
                Err(Told)
            }
            _ => Ok(()),
        }
    }

    fn select(&mut self) -> Result<(), Told> {
        if self.wanted == self.database {
            return Ok(());
        }
        let number = self.wanted.to_string();
        match self.ask(&[b"SELECT", number.as_bytes()])? {
            Value::Error(text) => {
                let text = String::from_utf8_lossy(&text);
                eprintln!("SELECT {number} failed: {text}");
                Err(Told)
            }
            _ => {
                self.database = self.wanted;
                Ok(())
            }
        }
    }

    fn switch_protocol(&mut self) -> Result<(), Told> {
        if !matches!(self.protocol, Protocol::Three | Protocol::ThreeIfThere) {
            return Ok(());
        }
        if let Value::Error(text) = self.ask(&[b"HELLO", b"3"])? {
            eprintln!("HELLO 3 failed: {}", String::from_utf8_lossy(&text));
            if self.protocol == Protocol::Three {
                return Err(Told);
            }
        }
        Ok(())
    }

    /// Sends a command so often, shows what comes, follows where replies send it.
    pub(crate) fn issue(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<(), Told> {
        loop {
            if self.redirected || self.connection.is_none() {
                self.redirected = false;
                self.connect(false)?;
            }
            if std::mem::take(&mut self.asking)
                && let Value::Error(text) = self.ask(&[b"ASKING"])?
            {
                eprintln!("ASKING failed: {}", String::from_utf8_lossy(&text));
                return Err(Told);
            }
            if let Err(lost) = self.send_repeatedly(words, repeat) {
                eprintln!("Error: {lost}");
                if !self.interactive || !lost.is_hangup() {
                    std::process::exit(1);
                }
                self.connection = None;
                self.in_multi = false;
                return Err(Told);
            }
            if !self.redirected {
                return Ok(());
            }
        }
    }

    fn send_repeatedly(&mut self, words: &[Vec<u8>], mut repeat: i64) -> Result<(), Lost> {
        let flow = flow(words);
        let page = is_page(words);
        // A negative number is without end.
        while repeat != 0 {
            repeat -= i64::from(repeat > 0);
            let connection = self.connection.as_mut().ok_or(Lost::Closed)?;
            connection.send(words)?;
            match flow {
                Flow::Monitor => return self.stream(page, Flow::Monitor),
                Flow::Subscribe => {
                    if self.style.form != Form::Raw {
                        out::say("Reading messages... (press Ctrl-C to quit)\n");
                    }
                    self.stream(page, Flow::Subscribe)?;
                    continue;
                }
                Flow::Replica => {
                    out::say("Entering replica output mode...  (press Ctrl-C to quit)\n");
                    return Err(modes::replica::stream(self));
                }
                Flow::Reply | Flow::Shutdown => {}
            }
            match self.receive_and_show(page, flow) {
                Ok(reply) => self.note(words, &reply),
                Err(Lost::Closed) if flow == Flow::Shutdown => {
                    self.connection = None;
                    return Ok(());
                }
                Err(lost) => return Err(lost),
            }
            if self.redirected {
                return Ok(());
            }
            if self.options.interval_us > 0 {
                std::thread::sleep(Duration::from_micros(self.options.interval_us));
            }
        }
        Ok(())
    }

    /// Shows what comes until there is an error, or Ctrl-C and so a new connection.
    fn stream(&mut self, page: bool, flow: Flow) -> Result<(), Lost> {
        if self.interactive {
            let socket = self.connection.as_ref().ok_or(Lost::Closed)?.socket();
            interrupt::hang_up(socket.map_err(Lost::System)?);
        }
        let ended = loop {
            match self.receive_and_show(page, flow) {
                Ok(Value::Error(_)) => break Ok(()),
                Ok(_) => {}
                Err(lost) => break Err(lost),
            }
        };
        let interrupted = interrupt::came();
        if self.interactive {
            interrupt::end();
        }
        match ended {
            Err(_) if interrupted => {
                out::say("\n");
                // What went wrong has been told, and the prompt shows it.
                let _ = self.connect(false);
                Ok(())
            }
            ended => ended,
        }
    }

    /// The next reply, shown; pushes before it as the options have it.
    fn receive_and_show(&mut self, page: bool, flow: Flow) -> Result<Value, Lost> {
        let connection = self.connection.as_mut().ok_or(Lost::Closed)?;
        let reply = loop {
            match connection.receive()? {
                push @ Value::Push(_) if flow != Flow::Subscribe => {
                    if self.options.show_pushes {
                        out::write(&self.style.push(&push));
                    }
                }
                reply => break reply,
            }
        };
        if let Value::Error(text) = &reply {
            if self.options.cluster && self.redirect(text) {
                return Ok(reply);
            }
            if self.options.errors_end && !self.interactive {
                eprintln!("{}", String::from_utf8_lossy(text));
                std::process::exit(1);
            }
        }
        out::write(&match page {
            true => self.style.page(&reply),
            false => self.style.reply(&reply),
        });
        Ok(reply)
    }

    /// Whether an error sends us to another server.
    fn redirect(&mut self, text: &[u8]) -> bool {
        let Some(there) = Redirection::read(text) else {
            return false;
        };
        let host = match (there.host, &self.place) {
            // The server that answered does not know its own name: it is the host that we know it by.
            ("", Place::Tcp(host, _)) => host.clone(),
            (host, _) => host.to_owned(),
        };
        self.place = Place::Tcp(host, there.port);
        if self.interactive {
            let slot = there.slot;
            out::say(&format!(
                "-> Redirected to slot [{slot}] located at {}\n",
                self.place
            ));
        }
        self.redirected = true;
        self.asking = there.ask;
        true
    }

    /// What a command that was answered does to the session.
    fn note(&mut self, words: &[Vec<u8>], reply: &Value) {
        let failed = matches!(reply, Value::Error(_));
        let is = |name: &str, count: usize| {
            words.len() == count && words[0].eq_ignore_ascii_case(name.as_bytes())
        };
        if is("select", 2) && !failed {
            self.database = crate::options::leading(&words[1]) as i32;
            self.wanted = self.database;
        } else if is("auth", 2) || is("auth", 3) {
            // A failure has been told, and the prompt shows the database.
            let _ = self.select();
        } else if is("multi", 1) && !failed {
            self.in_multi = true;
            self.database_before_multi = self.database;
        } else if is("exec", 1) && self.in_multi {
            if failed || *reply == Value::Null {
                self.back_before_multi();
            }
            self.in_multi = false;
        } else if is("discard", 1) && !failed {
            self.back_before_multi();
            self.in_multi = false;
        } else if is("reset", 1) && !failed {
            self.in_multi = false;
            self.database = 0;
            self.wanted = 0;
            self.protocol = Protocol::Unsaid;
        }
    }

    /// Whether MULTI waits for its EXEC.
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_multi
    }

    fn back_before_multi(&mut self) {
        self.database = self.database_before_multi;
        self.wanted = self.database;
    }
}

/// `MOVED slot host:port` or `ASK slot host:port`.
#[derive(Debug, PartialEq, Eq)]
struct Redirection<'a> {
    ask: bool,
    slot: &'a str,
    host: &'a str,
    port: u16,
}

impl Redirection<'_> {
    fn read(text: &[u8]) -> Option<Redirection<'_>> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let ask = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let slot = words.next()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        Some(Redirection {
            ask,
            slot,
            host,
            port: port.parse().ok()?,
        })
    }
}

fn flow(words: &[Vec<u8>]) -> Flow {
    let is = |names: &[&str]| {
        names
            .iter()
            .any(|n| words[0].eq_ignore_ascii_case(n.as_bytes()))
    };
    if is(&["shutdown"]) {
        Flow::Shutdown
    } else if is(&["monitor"]) {
        Flow::Monitor
    } else if is(&["subscribe", "psubscribe", "ssubscribe"]) {
        Flow::Subscribe
    } else if is(&["sync", "psync"]) {
        Flow::Replica
    } else {
        Flow::Reply
    }
}

/// Commands whose reply is a page to be read: their words, and how many there may be in all.
const PAGES: &[(&str, RangeInclusive<usize>)] = &[
    ("info", 1..=usize::MAX),
    ("lolwut", 1..=usize::MAX),
    ("debug htstats", 2..=usize::MAX),
    ("debug htstats-key", 2..=usize::MAX),
    ("debug client-eviction", 2..=usize::MAX),
    ("memory malloc-stats", 2..=usize::MAX),
    ("memory doctor", 2..=usize::MAX),
    ("cluster nodes", 2..=2),
    ("cluster info", 2..=2),
    ("client list", 2..=usize::MAX),
    ("client info", 2..=usize::MAX),
    ("latency graph", 3..=3),
    ("latency doctor", 2..=2),
    ("proxy info", 2..=usize::MAX),
];

fn is_page(words: &[Vec<u8>]) -> bool {
    PAGES.iter().any(|(name, count)| {
        count.contains(&words.len())
            && name
                .split(' ')
                .zip(words)
                .all(|(name, word)| word.eq_ignore_ascii_case(name.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.into()).collect()
    }

    #[test]
    fn pages_are_known_by_their_words() {
        for line in [
            "INFO",
            "info server",
            "Client List",
            "client list type normal",
            "latency graph x",
        ] {
            assert!(is_page(&words(line)), "{line}");
        }
        for line in [
            "get",
            "client",
            "client id",
            "latency graph",
            "cluster info x",
        ] {
            assert!(!is_page(&words(line)), "{line}");
        }
    }

    #[test]
    fn redirections() {
        let there = Redirection::read(b"MOVED 3999 ::1:6381").expect("one");
        assert_eq!((there.host, there.port, there.ask), ("::1", 6381, false));
        assert_eq!(Redirection::read(b"ASK 1 :7").expect("one").host, "");
        assert_eq!(Redirection::read(b"ASK 1 h:70000"), None);
        assert_eq!(Redirection::read(b"ERR MOVED"), None);
    }

    #[test]
    fn the_prompt_follows_what_was_answered() {
        let options = crate::options::parse(&[], true).expect("empty");
        let mut session = Session::new(options);
        let ok = Value::Simple(b"OK".to_vec());
        session.note(&words("SELECT 3"), &ok);
        session.note(&words("MULTI"), &ok);
        session.note(&words("SELECT 4"), &ok);
        assert!(session.in_multi && session.database == 4);
        session.note(&words("EXEC"), &Value::Null);
        assert!(!session.in_multi && session.database == 3 && session.wanted == 3);
        session.note(&words("SELECT x"), &Value::Error(b"ERR".to_vec()));
        assert_eq!(session.database, 3);
        assert_eq!(session.prompt(), "not connected> ");
    }
}
