//! Why the process ends; the table is in `main.rs`.

/// An exit code by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As it should.
    Fine,
    /// Configuration, command line, log file, data file.
    Configuration,
    /// A test found something.
    Found,
    /// The working folder.
    Folder,
    /// An address.
    Listen,
    /// A thread, an event loop, a process.
    System,
}

impl Exit {
    pub(crate) fn code(self) -> i32 {
        match self {
            Exit::Fine => 0,
            Exit::Configuration => 1,
            Exit::Found => 2,
            Exit::Folder => 3,
            Exit::Listen => 4,
            Exit::System => 5,
        }
    }
}
