//! Starts the workers' threads and waits for their end.
//!
//!   start ─▶ worker 0 opens the listeners, says whether it could ─▶ Running ─▶ wait ─▶ exit code
//!                                                                     └ Server::load, on a thread of its own
//!
//! **Invariant:** `start` returns an error only when no thread is left running.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use ::io::{Driver, Loop};

use crate::server::Server;
use crate::shutdown;
use crate::worker::Worker;

/// A server whose workers run.
#[derive(Debug)]
pub struct Running {
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts all workers on the system's own driver; `Server::listening` says where they listen.
///
/// # Errors
/// When an event loop cannot be made, or an address cannot be listened on.
pub fn start(server: &Arc<Server>) -> io::Result<Running> {
    start_with(server, |_| Loop::new())
}

/// Starts all workers, each on the driver that `driver` makes on its thread.
///
/// # Errors
/// When a driver cannot be made, or an address cannot be listened on.
pub fn start_with<D: Driver>(
    server: &Arc<Server>,
    driver: impl Fn(usize) -> io::Result<D> + Clone + Send + 'static,
) -> io::Result<Running> {
    let mut running = Running {
        server: server.clone(),
        threads: Vec::new(),
    };
    // Before anybody can come: whoever starts us has `Server::load` called next.
    server.aof.belong_to(server);
    server.close_for_loading();
    let (said, says) = mpsc::channel();
    for index in 0..server.start.workers {
        let (server, driver, said) = (server.clone(), driver.clone(), said.clone());
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        running
            .threads
            .push(thread.spawn(move || work(index, &server, &driver, &said))?);
    }
    let mut result = Ok(());
    for _ in 0..server.start.workers {
        let started = says
            .recv()
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        result = result.and(started);
    }
    match result {
        Ok(()) => {
            // Relaxed: a figure for people, written once.
            let used = os::alloc::used_bytes_exact();
            server.startup_bytes.store(used, Ordering::Relaxed);
            Ok(running)
        }
        Err(error) => {
            shutdown::give_up(server);
            running.join();
            Err(error)
        }
    }
}

fn work<D: Driver>(
    index: usize,
    server: &Arc<Server>,
    driver: &impl Fn(usize) -> io::Result<D>,
    said: &mpsc::Sender<io::Result<()>>,
) {
    let net = match driver(index) {
        Ok(net) => net,
        Err(error) => {
            let _ = said.send(Err(error));
            return server.stop.worker_gone();
        }
    };
    let mut worker = Worker::new(index, server, net);
    let listens = if index == 0 { worker.listen() } else { Ok(()) };
    // Nobody listens to what is said only if the starter has given up, and then stops us.
    let _ = said.send(listens);
    worker.run();
}

impl Running {
    /// Serves until somebody asks for the end; then sees it through. Gives the exit code.
    pub fn wait(self) -> i32 {
        loop {
            let attempt = self.server.stop.wait_for_request();
            if shutdown::run(&self.server, attempt) {
                break;
            }
        }
        self.join();
        0
    }

    fn join(self) {
        for thread in self.threads {
            // A worker that panicked has said so on its way.
            let _ = thread.join();
        }
    }
}
