//! What Ctrl-C means at the moment.
//!
//! | meaning | who sets it | what happens |
//! |---|---|---|
//! | `End` | nobody: it is the beginning | the program ends with 1 |
//! | `Flag` | modes that finish what they have | `came` is true |
//! | `Hang` | MONITOR and SUBSCRIBE at the prompt | the connection is shut, so the reader wakes; `came` is true |
//!
//! A request to terminate always ends the program.

use socket2::Socket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

enum Meaning {
    End,
    Flag,
    Hang(Socket),
}

static MEANING: Mutex<Meaning> = Mutex::new(Meaning::End);
// Relaxed everywhere: a flag that carries no other data.
static CAME: AtomicBool = AtomicBool::new(false);

fn meaning() -> MutexGuard<'static, Meaning> {
    MEANING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens from now on; before, the system's own ways hold.
pub(crate) fn listen() {
    // Without threads or pipes Ctrl-C simply ends the program, as the system has it.
    let _ = os::stop::listen(Box::new(|cause| {
        if cause != os::stop::Cause::Interrupt {
            std::process::exit(1);
        }
        match &*meaning() {
            Meaning::End => std::process::exit(1),
            Meaning::Flag => CAME.store(true, Ordering::Relaxed),
            Meaning::Hang(socket) => {
                CAME.store(true, Ordering::Relaxed);
                // It fails only when the connection is gone, and then the reader is awake.
                let _ = socket.shutdown(std::net::Shutdown::Both);
            }
        }
    }));
}

/// From now on Ctrl-C is remembered.
pub(crate) fn flag() {
    listen();
    *meaning() = Meaning::Flag;
}

/// From now on Ctrl-C hangs up on `socket`.
pub(crate) fn hang_up(socket: Socket) {
    CAME.store(false, Ordering::Relaxed);
    *meaning() = Meaning::Hang(socket);
}

/// From now on Ctrl-C ends the program again.
pub(crate) fn end() {
    CAME.store(false, Ordering::Relaxed);
    *meaning() = Meaning::End;
}

/// Whether Ctrl-C came.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}
