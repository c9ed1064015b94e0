//! `--pipe`: requests from standard input as they are, as fast as the server takes them.
//!
//! ```text
//!   sender    stdin ──▶ socket … end of input ──▶ ECHO <20 random bytes>
//!   receiver  replies are counted, errors shown; the ECHO's reply is the last
//! ```
//!
//! Two threads, because a server that has replies to send may not read before they are taken.

use super::fail;
use crate::out;
use crate::session::{Session, Told};
use resp::client::Value;
use socket2::Socket;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MARK_BYTES: usize = 20;

/// How often the receiver looks at the time.
const LOOK: Duration = Duration::from_secs(1);

/// Whether all of the input has been sent. Release and acquire are not needed: nothing else is shared.
static SENT: AtomicBool = AtomicBool::new(false);

/// Runs until the last reply.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    let patience = Duration::from_secs(session.options.pipe_timeout_s);
    let connection = session.connected()?;
    let prepared = connection
        .set_read_timeout(Some(LOOK))
        .and_then(|()| connection.socket());
    let socket = prepared.map_err(|error| {
        let text = os::files::error_text(&error);
        fail(&format!("Can't prepare the connection: {text}"))
    })?;
    let mut mark = [0; MARK_BYTES];
    os::random::fill(&mut mark).map_err(|_| fail("The system gives no random bytes"))?;
    std::thread::spawn(move || {
        if let Err(text) = send(&socket, &mark) {
            eprintln!("{text}");
            std::process::exit(1);
        }
    });
    let (mut errors, mut replies) = (0u64, 0u64);
    let mut last = Instant::now();
    loop {
        match connection.receive() {
            Ok(Value::Bulk(bytes)) if bytes == mark => {
                out::say("Last reply received from server.\n");
                break;
            }
            Ok(reply) => {
                replies += 1;
                last = Instant::now();
                if let Value::Error(text) = reply {
                    eprintln!("{}", String::from_utf8_lossy(&text));
                    errors += 1;
                }
            }
            Err(lost) if lost.is_late() => {
                if !SENT.load(Ordering::Relaxed) {
                    last = Instant::now();
                } else if !patience.is_zero() && last.elapsed() > patience {
                    let seconds = patience.as_secs();
                    eprintln!("No replies for {seconds} seconds: exiting.");
                    errors += 1;
                    break;
                }
            }
            Err(lost) => return Err(fail(&format!("Error reading replies from server: {lost}"))),
        }
    }
    out::say(&format!("errors: {errors}, replies: {replies}\n"));
    Ok(i32::from(errors > 0))
}

/// Sends all of the input and the mark behind it.
fn send(mut socket: &Socket, mark: &[u8]) -> Result<(), String> {
    let broken = |error: std::io::Error| {
        let text = os::files::error_text(&error);
        format!("Error writing to the server: {text}")
    };
    let mut input = std::io::stdin().lock();
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let text = os::files::error_text(&error);
                return Err(format!("Error reading from stdin: {text}"));
            }
        };
        socket.write_all(&piece[..count]).map_err(broken)?;
    }
    // The empty line ends what garbage there may be at the input's end; by itself it is nothing.
    let mut last = b"\r\n".to_vec();
    resp::client::request(&mut last, &[b"ECHO", mark]);
    // Said first: the last reply may be there before this thread runs again.
    out::say("All data transferred. Waiting for the last reply...\n");
    socket.write_all(&last).map_err(broken)?;
    SENT.store(true, Ordering::Relaxed);
    Ok(())
}
