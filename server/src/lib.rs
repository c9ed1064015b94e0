//! Workers, connections, dispatch, the commands about the server itself, configuration, shutdown.
//!
//! | file | what lives there |
//! |---|---|
//! | `server.rs` | what all workers share |
//! | `worker/` | the event loop: completions, batch, run, flush; timers; parked connections |
//! | `connection.rs`, `session.rs` | one connection's bytes; what its client has agreed upon |
//! | `clients.rs`, `mailbox.rs` | clients as other threads see them; what workers tell each other |
//! | `table.rs` | the joined command table |
//! | `dispatch.rs`, `unknown.rs` | a request becomes a command, or an error |
//! | `plan.rs`, `execute.rs` | its locks; its run |
//! | `admin/` | rows and handlers about the server itself |
//! | `live.rs`, `config/` | the configuration as workers read it; the table of parameters |
//! | `info/`, `balance.rs` | INFO's text; where the memory goes |
//! | `stats.rs`, `slowlog.rs`, `latency.rs`, `monitor.rs` | what is counted and told |
//! | `persistence/` | data files: saves, their figures, what they forbid |
//! | `listen.rs`, `shutdown.rs` | the way in, the way out |
//!
//! **Invariant:** a client belongs to one worker; others reach it through its state word and the
//! worker's mailbox alone.
#![forbid(unsafe_code)]

pub mod admin;
pub mod aof;
mod balance;
pub mod blocking;
pub mod client_line;
pub mod clients;
pub mod config;
mod connection;
pub mod crash;
pub mod desk;
mod dispatch;
pub mod evict;
mod evict_clients;
mod execute;
mod gates;
pub mod info;
mod input;
pub mod latency;
pub mod listen;
pub mod live;
pub mod log;
pub mod mailbox;
pub mod monitor;
pub mod persistence;
pub mod plan;
pub mod pubsub;
pub mod run;
pub mod server;
pub mod session;
pub mod shutdown;
pub mod slowlog;
pub mod stats;
pub mod table;
pub mod tracking;
mod unknown;
pub mod version;
pub mod worker;

pub use live::Live;
pub use server::{REDIS_VERSION, Server, Start, VERSION};
