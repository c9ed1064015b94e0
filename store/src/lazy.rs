//! The free thread: what is large is dropped where nobody waits for it.
//!
//! A table detached by FLUSHALL ASYNC, a long string removed by UNLINK. The thread starts with the
//! first thing sent to it and ends with the store. Whatever the thread is sent has left the
//! keyspace already, so when it is freed is nobody's business; only the memory figures see it.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use collections::table::Table;

use crate::entry::Entry;
use crate::sync::{AtomicU64, Mutex, Relaxed};
use crate::value::Object;

/// What can be freed later.
#[derive(Debug)]
pub(crate) enum Trash {
    Table(Table<Entry>),
    #[expect(dead_code, reason = "it is held in order to be dropped")]
    Entry(Entry),
    #[expect(dead_code, reason = "it is held in order to be dropped")]
    Object(Object),
}

impl Trash {
    fn objects(&self) -> u64 {
        match self {
            Trash::Table(table) => table.len() as u64,
            Trash::Entry(_) | Trash::Object(_) => 1,
        }
    }
}

#[derive(Debug, Default)]
struct Figures {
    pending: AtomicU64,
    freed: AtomicU64,
}

#[derive(Debug)]
struct Thread {
    /// Taken when the store ends: that is what ends the thread.
    sender: Mutex<Option<Sender<Trash>>>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// The face of the free thread.
#[derive(Debug, Default)]
pub(crate) struct FreeThread {
    figures: Arc<Figures>,
    thread: OnceLock<Option<Thread>>,
}

impl FreeThread {
    /// Hands `trash` to the thread. If the system has no thread to give, frees it here.
    pub(crate) fn send(&self, trash: Trash) {
        let Some(thread) = self.thread.get_or_init(|| start(Arc::clone(&self.figures))) else {
            return drop(trash);
        };
        // Relaxed, here and below: figures, not an order.
        self.figures.pending.fetch_add(trash.objects(), Relaxed);
        if let Some(sender) = &*thread.sender.lock() {
            // The thread ends only after the sender is gone.
            sender
                .send(trash)
                .expect("the free thread receives while there is a sender");
        }
    }

    /// Objects on their way, and objects freed so far.
    pub(crate) fn figures(&self) -> (u64, u64) {
        (
            self.figures.pending.load(Relaxed),
            self.figures.freed.load(Relaxed),
        )
    }

    pub(crate) fn reset_freed(&self) {
        self.figures.freed.store(0, Relaxed);
    }
}

impl Drop for FreeThread {
    fn drop(&mut self) {
        if let Some(Some(thread)) = self.thread.get() {
            thread.sender.lock().take();
            if let Some(handle) = thread.handle.lock().take() {
                // A panic over there has been reported over there.
                let _ = handle.join();
            }
        }
    }
}

fn start(figures: Arc<Figures>) -> Option<Thread> {
    let (sender, receiver) = channel::<Trash>();
    let work = move || {
        for trash in receiver {
            let objects = trash.objects();
            drop(trash);
            figures.freed.fetch_add(objects, Relaxed);
            figures.pending.fetch_sub(objects, Relaxed);
        }
    };
    let handle = std::thread::Builder::new()
        .name("free".to_owned())
        .spawn(work)
        .ok()?;
    Some(Thread {
        sender: Mutex::new(Some(sender)),
        handle: Mutex::new(Some(handle)),
    })
}
