//! The free thread: what is large is dropped where nobody waits for it.
//!
//! ```text
//!   removed, overwritten, expired, evicted ─ after unlocking ─┐
//!   FLUSHALL ASYNC: a table ─────────────────────────────────┼──▶ channel ──▶ free thread: piece by piece
//!   a reply, a snapshot's part was the last to hold it ───────┘
//! ```
//!
//! There is one thread a process. It starts with the first thing sent to it. Whatever it is sent has left
//! the keyspace already, so when it is freed is nobody's business; only the memory figures see it, and
//! eviction, which does not free twice what is on its way.
//!
//! F1  What is long to free is freed by this thread whoever lets go of it last: [`crate::Object`]'s own
//!     drop sends it here, so no holder has to think of it.
//! F2  Between pieces of some hundred allocations the thread lets others run.
//!
//! What the `lazyfree-*` switches mean here, and what the counters count, is on the page
//! (`docs/design/eviction.md`).
//!
//! Checked by: tests/evict.rs (steps, counters); server/tests/config_effects.rs (what is counted).

use std::cell::Cell;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use collections::table::Table;

use crate::entry::Entry;
use crate::frozen::Frozen;
use crate::plan::Freeing;
use crate::sync::{AtomicU64, Relaxed};
use crate::value::Object;

/// From this many allocations on a value is freed by the free thread: freeing it here would hold up the
/// worker's other clients. The number is Redis's.
const LONG_EFFORT: u64 = 64;

/// What a key of a table takes at least: an entry without a value of its own.
const ENTRY_BYTES: u64 = 32;

/// Whether an object is so large that freeing it is the free thread's work.
pub(crate) fn is_long_to_free(object: &Object) -> bool {
    object.free_effort() > LONG_EFFORT
}

/// The `lazyfree-lazy-*` switches that the store itself obeys. Here they change the word in the change
/// log and the counters, not who frees (docs/design/eviction.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lazy {
    /// `lazyfree-lazy-eviction`
    pub eviction: bool,
    /// `lazyfree-lazy-expire`
    pub expire: bool,
    /// `lazyfree-lazy-server-del`: overwritten values.
    pub server_del: bool,
}

impl Lazy {
    pub(crate) fn pack(self) -> u32 {
        u32::from(self.eviction) | u32::from(self.expire) << 1 | u32::from(self.server_del) << 2
    }

    pub(crate) fn unpack(word: u32) -> Lazy {
        Lazy {
            eviction: word & 1 != 0,
            expire: word & 2 != 0,
            server_del: word & 4 != 0,
        }
    }
}

/// Who frees, as a switch says it.
pub(crate) fn freeing(lazy: bool) -> Freeing {
    if lazy { Freeing::Later } else { Freeing::Now }
}

/// What can be freed later.
#[derive(Debug)]
pub(crate) enum Trash {
    Table(Table<Entry>),
    Entry(Entry),
    Object(Object),
}

impl Trash {
    /// What Redis would count, if its thread had got this.
    fn objects(&self) -> u64 {
        match self {
            Trash::Table(table) => table.len() as u64,
            Trash::Entry(entry) => {
                u64::from(entry.view().object().is_some_and(|o| is_long_to_free(o)))
            }
            Trash::Object(object) => u64::from(is_long_to_free(object)),
        }
    }

    /// Bytes that freeing it gives back, at least.
    fn bytes(&self) -> u64 {
        match self {
            Trash::Table(table) => table.heap_bytes() as u64 + table.len() as u64 * ENTRY_BYTES,
            Trash::Entry(entry) => entry.view().memory_bytes() as u64,
            Trash::Object(object) => object.memory_bytes() as u64,
        }
    }

    /// Whether it goes to the thread whatever the switches say.
    fn is_long(&self) -> bool {
        match self {
            Trash::Table(_) => false,
            Trash::Entry(entry) => entry.view().object().is_some_and(|o| is_long_to_free(o)),
            Trash::Object(_) => true,
        }
    }
}

#[derive(Debug, Default)]
struct Figures {
    pending: AtomicU64,
    freed: AtomicU64,
    bytes: AtomicU64,
    frozen: Arc<Frozen>,
}

impl Figures {
    fn note_frozen(&self, trash: &Trash) {
        if let Trash::Table(table) = trash {
            self.frozen.flushed(table);
        }
    }
}

/// Something to free, and whose figures hear of it.
struct Job {
    trash: Trash,
    books: Option<(Arc<Figures>, u64, u64)>,
}

/// A store's face of the free thread.
#[derive(Debug, Default)]
pub(crate) struct FreeThread {
    figures: Arc<Figures>,
}

impl FreeThread {
    /// One whose tables are counted in `frozen` when a snapshot holds on to them.
    pub(crate) fn new(frozen: Arc<Frozen>) -> FreeThread {
        FreeThread {
            figures: Arc::new(Figures {
                frozen,
                ..Figures::default()
            }),
        }
    }

    /// Frees `trash`: on the thread, if it is long to free or a switch or command says so.
    pub(crate) fn free(&self, trash: Trash, how: Freeing) {
        if how == Freeing::Now && !trash.is_long() {
            self.figures.note_frozen(&trash);
            return drop(trash);
        }
        let objects = match how {
            Freeing::Now => 0,
            Freeing::Later => trash.objects(),
        };
        let bytes = trash.bytes();
        // Relaxed, here and below: figures, not an order.
        self.figures.pending.fetch_add(objects, Relaxed);
        self.figures.bytes.fetch_add(bytes, Relaxed);
        let books = Some((Arc::clone(&self.figures), objects, bytes));
        send(Job { trash, books });
    }

    /// Objects on their way, and objects freed so far.
    pub(crate) fn figures(&self) -> (u64, u64) {
        (
            self.figures.pending.load(Relaxed),
            self.figures.freed.load(Relaxed),
        )
    }

    /// Bytes on their way.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.figures.bytes.load(Relaxed)
    }

    pub(crate) fn reset_freed(&self) {
        self.figures.freed.store(0, Relaxed);
    }
}

thread_local! {
    static IS_FREE_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// An object is being dropped: takes it apart if this is the free thread, and hands it to that thread if
/// it is long to free (F1).
pub(crate) fn drop_object(object: &mut Object) {
    if !is_long_to_free(object) {
        return;
    }
    // A thread that is ending has no storage of its own any more: it frees here.
    match IS_FREE_THREAD.try_with(Cell::get) {
        Ok(false) => {
            let trash = Trash::Object(object.take());
            send(Job { trash, books: None });
        }
        Ok(true) => object.free_in_steps(&mut std::thread::yield_now),
        Err(_) => {}
    }
}

/// Hands `job` to the thread. If the system has no thread to give, does it here.
fn send(job: Job) {
    static SENDER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    let refused = match SENDER.get_or_init(start) {
        Some(sender) => sender.send(job).err().map(|refused| refused.0),
        None => Some(job),
    };
    if let Some(job) = refused {
        let was = IS_FREE_THREAD.replace(true);
        work(job);
        IS_FREE_THREAD.set(was);
    }
}

fn work(Job { trash, books }: Job) {
    if let Some((figures, ..)) = &books {
        figures.note_frozen(&trash);
    }
    drop(trash);
    if let Some((figures, objects, bytes)) = books {
        figures.freed.fetch_add(objects, Relaxed);
        figures.pending.fetch_sub(objects, Relaxed);
        figures.bytes.fetch_sub(bytes, Relaxed);
    }
}

fn start() -> Option<Sender<Job>> {
    let (sender, receiver) = channel::<Job>();
    let run = move || {
        IS_FREE_THREAD.set(true);
        for job in receiver {
            work(job);
            // F2: a flushed database comes as a thousand tables.
            std::thread::yield_now();
        }
    };
    std::thread::Builder::new()
        .name("free".to_owned())
        .spawn(run)
        .ok()
        .map(|_| sender)
}
