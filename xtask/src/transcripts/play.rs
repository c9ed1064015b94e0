//! Playing one transcript against a running server.
//!
//! A request and the replies that are expected of it form a group; a group
//! after `@until` is repeated as a whole until it fits or its time is over.

use super::parse::{Conditions, Step, Transcript, What, Word, version};
use super::pattern::{Pattern, Variables, matches, render};
use crate::wire::{Client, Lost, Reply};
use crate::{Res, server::Server};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(10);

/// Which server answers, and its configuration before the first file.
pub(crate) struct Who {
    /// `redstart`, `redis` or `valkey`.
    name: &'static str,
    version: Vec<u64>,
    config: Vec<(String, String)>,
}

impl Who {
    pub(crate) fn ask(server: &Server, reference: bool) -> Res<Who> {
        let mut client = server.client(DEADLINE)?;
        let config = config(&mut client)?;
        if !reference {
            return Ok(Who {
                name: "redstart",
                version: Vec::new(),
                config,
            });
        }
        let info = client.ask(&["INFO", "server"])?.text();
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(version)
        };
        match (field("valkey_version"), field("redis_version")) {
            (Some(v), _) => Ok(Who {
                name: "valkey",
                version: v?,
                config,
            }),
            (None, Some(v)) => Ok(Who {
                name: "redis",
                version: v?,
                config,
            }),
            _ => Err("INFO names neither redis_version nor valkey_version".into()),
        }
    }

    /// Is a file or block with these conditions for this server?
    fn suits(&self, conditions: &Conditions) -> bool {
        if !conditions.only.is_empty() && !conditions.only.iter().any(|name| name == self.name) {
            return false;
        }
        let bounds = (&conditions.since_redis, &conditions.since_valkey);
        match (self.name, bounds) {
            ("redstart", _) | (_, (None, None)) => true,
            ("redis", (Some(since), _)) => &self.version >= since,
            ("valkey", (_, Some(since))) => &self.version >= since,
            // Valkey left Redis at 7.2.4: what is newer there it has only if the file says so.
            ("valkey", (Some(since), None)) => since <= &vec![7, 2, 4],
            _ => false,
        }
    }
}

fn config(client: &mut Client) -> Res<Vec<(String, String)>> {
    match client.ask(&["CONFIG", "GET", "*"])? {
        Reply::Many(_, parts) => Ok(parts
            .chunks_exact(2)
            .map(|pair| (pair[0].text(), pair[1].text()))
            .collect()),
        _ => Ok(Vec::new()),
    }
}

/// What was done in a file.
#[derive(Default)]
pub(crate) struct Played {
    pub(crate) replies: usize,
    pub(crate) blocks_left_out: usize,
}

struct Player<'a> {
    server: &'a Server,
    connections: HashMap<String, Client>,
    current: String,
    variables: Variables,
    replies: usize,
    /// With `--show`: what really came, by the line of the expectation or request.
    came: Option<Vec<(usize, String)>>,
}

/// Plays a file. The error is a report with line, request, expectation and reply.
pub(crate) fn file(
    server: &Server,
    who: &Who,
    transcript: &Transcript,
    text: &str,
    show: bool,
) -> Res<Played> {
    let mut played = Played::default();
    if !who.suits(&transcript.conditions) {
        played.blocks_left_out = transcript.blocks.len();
        return Ok(played);
    }
    let mut control = server.client(DEADLINE)?;
    control.ask(&["FLUSHALL"])?;
    let mut player = Player {
        server,
        connections: HashMap::new(),
        current: "main".into(),
        variables: Variables::new(),
        replies: 0,
        came: show.then(Vec::new),
    };
    let mut outcome = Ok(());
    for block in &transcript.blocks {
        if !who.suits(&block.conditions) {
            played.blocks_left_out += 1;
            continue;
        }
        outcome = player.steps(&block.steps, text);
        if outcome.is_err() {
            break;
        }
    }
    if let Some(came) = &player.came {
        print_with_replies(text, came);
    }
    played.replies = player.replies;
    let outcome = outcome.and_then(|()| player.close_all());
    // Put back first, so that one bad file does not spoil the next.
    let left = put_back(&mut control, who)?;
    outcome?;
    match left.is_empty() {
        true => Ok(played),
        false => Err(format!(
            "the file leaves the configuration changed: {}",
            left.join(", ")
        )),
    }
}

/// Sets changed parameters back and names them.
fn put_back(control: &mut Client, who: &Who) -> Res<Vec<String>> {
    let now = config(control)?;
    let mut changed = Vec::new();
    for (name, value) in &who.config {
        if now.iter().any(|(n, v)| n == name && v != value) {
            control.ask(&["CONFIG", "SET", name, value])?;
            changed.push(name.clone());
        }
    }
    Ok(changed)
}

impl Player<'_> {
    fn steps(&mut self, steps: &[Step], text: &str) -> Res<()> {
        let mut index = 0;
        let mut until = None;
        while let Some(step) = steps.get(index) {
            let at = |e: String| format!("line {}: {e}", step.line);
            index += 1;
            match &step.what {
                What::Conn(name) => self.current = name.clone(),
                What::Close => {
                    self.connections.remove(&self.current);
                }
                What::Hello(version) => {
                    let reply = self
                        .client()
                        .and_then(|c| c.ask(&["HELLO", version]))
                        .map_err(at)?;
                    if !matches!(reply, Reply::Many(..)) {
                        return Err(at(format!("HELLO {version} answered\n{}", render(&reply))));
                    }
                }
                What::Until(ms) => until = Some(Instant::now() + Duration::from_millis(*ms)),
                What::Wait(ms) => std::thread::sleep(Duration::from_millis(*ms)),
                What::Expect(_) => self.group(None, std::slice::from_ref(step), text)?,
                What::Send(_) | What::Raw(_) => {
                    let is_expect = |s: &&Step| matches!(s.what, What::Expect(_));
                    let count = steps[index..].iter().take_while(is_expect).count();
                    let expected = &steps[index..index + count];
                    index += count;
                    self.group_until(step, expected, text, until.take())?;
                }
            }
        }
        Ok(())
    }

    fn group_until(
        &mut self,
        request: &Step,
        expected: &[Step],
        text: &str,
        end: Option<Instant>,
    ) -> Res<()> {
        loop {
            let outcome = self.group(Some(request), expected, text);
            match end {
                Some(end) if outcome.is_err() && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => return outcome,
            }
        }
    }

    /// Sends a request (unless replies alone are awaited) and compares what comes.
    fn group(&mut self, request: Option<&Step>, expected: &[Step], text: &str) -> Res<()> {
        if let Some(step) = request {
            let at = |e: String| format!("line {}: {e}", step.line);
            match &step.what {
                What::Send(words) => {
                    let words = self.resolve(words).map_err(at)?;
                    self.client()?.send(&words).map_err(at)?;
                }
                What::Raw(bytes) => self.client()?.send_raw(bytes).map_err(at)?,
                _ => unreachable!("only requests begin a group"),
            }
        }
        if let (Some(step), true, true) = (request, expected.is_empty(), self.came.is_some()) {
            // `--show` serves writers too, who put down the requests alone.
            let shown = match self.client()?.read() {
                Ok(reply) => render(&reply),
                Err(lost) => {
                    self.connections.remove(&self.current);
                    format!("< {lost}\n")
                }
            };
            self.came.get_or_insert_default().push((step.line, shown));
        }
        let mut wrong = None;
        for step in expected {
            let What::Expect(pattern) = &step.what else {
                unreachable!("only replies are in a group")
            };
            let got = self.client()?.read();
            self.replies += 1;
            let fits = match (&got, pattern) {
                (Err(Lost::Closed), Pattern::Closed) => true,
                (Ok(reply), pattern) => matches(pattern, reply, &mut self.variables),
                _ => false,
            };
            let shown = match &got {
                Ok(reply) => render(reply),
                Err(lost) => format!("< {lost}\n"),
            };
            if let Some(came) = &mut self.came {
                came.push((step.line, shown.clone()));
            }
            if got.is_err() {
                self.connections.remove(&self.current);
            }
            // The rest of the group is read all the same, so that a repetition starts clean.
            if !fits && wrong.is_none() {
                wrong = Some(report(text, request, step, &shown));
            }
            if got.is_err() {
                break;
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    fn client(&mut self) -> Res<&mut Client> {
        if !self.connections.contains_key(&self.current) {
            let client = self.server.client(DEADLINE)?;
            self.connections.insert(self.current.clone(), client);
        }
        Ok(self
            .connections
            .get_mut(&self.current)
            .expect("it was just put there"))
    }

    fn resolve(&self, words: &[Word]) -> Res<Vec<Vec<u8>>> {
        let one = |word: &Word| match word {
            Word::Bytes(bytes) => Ok(bytes.clone()),
            Word::Variable(name) => self.variables.get(name).cloned().ok_or_else(|| {
                format!("nothing matched *any:{name}* yet (write \"${name}\" for the text)")
            }),
        };
        words.iter().map(one).collect()
    }

    /// RESET on every connection: any other answer is a reply that the file did not read.
    fn close_all(&mut self) -> Res<()> {
        for (name, mut client) in self.connections.drain() {
            match client.ask(&["RESET"])? {
                Reply::Simple(text) if text == b"RESET" => {}
                other => {
                    return Err(format!(
                        "at the end connection '{name}' had a reply left that nobody read:\n{}",
                        render(&other)
                    ));
                }
            }
        }
        Ok(())
    }
}

fn report(text: &str, request: Option<&Step>, expected: &Step, came: &str) -> String {
    let line = |number: usize| text.lines().nth(number - 1).unwrap_or("");
    let asked = request.map_or(String::new(), |step| format!("{}\n", line(step.line)));
    let wanted: Vec<&str> = text
        .lines()
        .skip(expected.line - 1)
        .take_while(|line| line.starts_with('<'))
        .collect();
    format!(
        "line {}\n{asked}  expected\n{}\n  came\n{}",
        expected.line,
        wanted.join("\n"),
        came.trim_end()
    )
}

/// The file with each expectation replaced by what came in its place, last attempts of
/// an `@until` after the earlier ones.
fn print_with_replies(text: &str, came: &[(usize, String)]) {
    for (index, line) in text.lines().enumerate() {
        if !line.starts_with('<') {
            println!("{line}");
        }
        for (_, reply) in came.iter().filter(|(number, _)| *number == index + 1) {
            print!("{reply}");
        }
    }
}
