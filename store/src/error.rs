//! The three ways in which the store says no. Each is one fact without data, so that it costs
//! nothing to return and the caller's own error type can take it over.

/// The key holds another type of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// The system refused memory whose size a client chose. Nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A lock is held by another worker. Park the connection and run the command again; nobody sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl From<collections::Refused> for Refused {
    /// A container beyond its format's size is refused as memory is: a client chose the size.
    fn from(_: collections::Refused) -> Self {
        Refused
    }
}
