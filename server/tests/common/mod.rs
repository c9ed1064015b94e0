//! A server in this process on a free port, and a client that speaks bytes.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use os::disk::{Disk, Simulated};
use server::config::Config;
use server::listen::{Listening, Wanted};
use server::shutdown::ShutdownOptions;
use server::{Live, Server, Start};

/// No test waits longer than this for anything.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A running server; dropping it stops it.
pub struct TestServer {
    pub server: Arc<Server>,
    pub address: SocketAddr,
    thread: Option<JoinHandle<i32>>,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::with(1, Live::default())
    }

    pub fn with(workers: usize, live: Live) -> TestServer {
        TestServer::with_renames(workers, live, &[])
    }

    pub fn with_renames(workers: usize, live: Live, renames: &[(&str, &str)]) -> TestServer {
        let server = Server::new(start(workers, renames), live).expect("the renames are right");
        TestServer::run(server)
    }

    /// One worker with a whole configuration.
    pub fn from_text(text: &str) -> TestServer {
        let config = Config::from_text(text.as_bytes(), &|_| false).expect("a valid configuration");
        TestServer::on_disk(config, Disk::Simulated(Simulated::new()), 1)
    }

    /// With data files on this disk.
    pub fn on_disk(config: Config, disk: Disk, workers: usize) -> TestServer {
        let server = Server::with_config_on(start(workers, &[]), config, disk);
        TestServer::run(server.expect("nothing is renamed"))
    }

    /// Listens on a free port and serves.
    fn run(server: Arc<Server>) -> TestServer {
        TestServer::begin(server, |server| {
            server.load().expect("what a test saved, it can load");
        })
    }

    /// One worker that serves while its data file is being loaded.
    pub fn loading(config: Config, disk: Disk) -> TestServer {
        let server = Server::with_config_on(start(1, &[]), config, disk);
        TestServer::begin(server.expect("nothing is renamed"), |server| {
            let server = server.clone();
            std::thread::spawn(move || server.load().expect("a file of our own"));
        })
    }

    fn begin(server: Arc<Server>, load: impl FnOnce(&Arc<Server>)) -> TestServer {
        let at = io::ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        *server.listening.lock() = Listening {
            wanted: vec![Wanted {
                at,
                optional: false,
            }],
            ..Listening::default()
        };
        let running = server::run::start(&server).expect("a free port");
        load(&server);
        let address = match &server.addresses.lock()[..] {
            [io::Address::Ip(address)] => *address,
            other => panic!("one TCP address, not {other:?}"),
        };
        let thread = Some(std::thread::spawn(move || running.wait()));
        TestServer {
            server,
            address,
            thread,
        }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Changes the configuration.
    pub fn configure(&self, change: impl FnOnce(&mut Live)) {
        let mut live = (*self.server.live()).clone();
        change(&mut live);
        self.server.set_live(live);
    }

    /// What all workers have counted so far.
    pub fn figures(&self) -> server::stats::Totals {
        self.server.statistics().totals()
    }

    /// Stops the server; its exit code.
    pub fn stop(mut self) -> i32 {
        self.server.stop.request(ShutdownOptions::default());
        self.thread
            .take()
            .expect("it runs")
            .join()
            .expect("no panic")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.server.stop.request(ShutdownOptions {
                now: true,
                // A test's disk may be full.
                force: true,
                ..Default::default()
            });
            let joined = thread.join();
            if !std::thread::panicking() {
                joined.expect("the server ends without a panic");
            }
        }
    }
}

fn start(workers: usize, renames: &[(&str, &str)]) -> Start {
    Start {
        workers,
        renames: renames
            .iter()
            .map(|&(old, new)| (old.into(), new.into()))
            .collect(),
        seed: 1,
        run_id: "0".repeat(40),
        port: 0,
    }
}

/// A port of 127.0.0.1 that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A client.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Sends a request of these words.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        self.send(request(words));
    }

    /// Sends an inline request and reads its reply.
    pub fn line(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// One whole reply as text: `+OK`, `:1`, `$hello`, `[a b]`, `nil`, `-ERR …`.
    pub fn reply(&mut self) -> String {
        self.try_reply().expect("a reply, not the end")
    }

    /// As `reply`; `None` when the server has closed.
    /// Whether nothing comes for so long.
    pub fn hears_nothing(&mut self, patience: Duration) -> bool {
        let set = |stream: &TcpStream, patience| {
            stream.set_read_timeout(Some(patience)).expect("a timeout");
        };
        set(&self.stream, patience);
        let heard = self.stream.read(&mut [0]);
        set(&self.stream, DEADLINE);
        self.buffer.is_empty()
            && heard.is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    pub fn try_reply(&mut self) -> Option<String> {
        loop {
            if let Some((text, used)) = parse(&self.buffer) {
                self.buffer.drain(..used);
                return Some(text);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads more; `false` at the end.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Everything until the server closes.
    pub fn until_end(&mut self) -> String {
        while self.fill() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }
}

/// The bytes of a request.
pub fn request<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A configuration that allows DEBUG.
pub fn config(text: &str) -> Config {
    let text = format!("enable-debug-command yes\n{text}");
    Config::from_text(text.as_bytes(), &|_| false).expect("a valid configuration")
}

/// A server with two workers whose files lie on `disk`.
pub fn on(disk: &Arc<Simulated>, text: &str) -> TestServer {
    TestServer::on_disk(config(text), Disk::Simulated(Arc::clone(disk)), 2)
}

/// A field of INFO, whatever its section.
pub fn field(client: &mut Client, name: &str) -> String {
    let info = client.line("INFO everything");
    let line = info
        .split("\r\n")
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no field {name}")).to_owned()
}

/// Waits until `holds`, at most until the deadline.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One reply as text and the bytes that it takes, if it is whole.
pub fn parse(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut used = end + 2;
    let count = || line[1..].parse::<i64>().expect("a count");
    let elements = match line.as_bytes().first()? {
        b'$' | b'=' => {
            let Ok(len) = usize::try_from(count()) else {
                return Some(("nil".into(), used));
            };
            let body = bytes.get(used..used + len)?;
            bytes.get(used + len..used + len + 2)?;
            return Some((
                format!("${}", String::from_utf8_lossy(body)),
                used + len + 2,
            ));
        }
        b'*' | b'~' | b'>' => match usize::try_from(count()) {
            Ok(n) => n,
            Err(_) => return Some(("nil".into(), used)),
        },
        b'%' => 2 * usize::try_from(count()).expect("a count"),
        b'_' => return Some(("nil".into(), used)),
        _ => return Some((line, used)),
    };
    let mut texts = Vec::new();
    for _ in 0..elements {
        let (text, len) = parse(&bytes[used..])?;
        texts.push(text);
        used += len;
    }
    Some((format!("[{}]", texts.join(" ")), used))
}
