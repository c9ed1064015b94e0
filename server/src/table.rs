//! The joined command table: every row of `commands` and of `admin`, under the names of this run.
//!
//!   commands::table() ──┐                      ┌─ commands: flat, `CommandId` is the index;
//!                       ├─▶ CommandTable::new ─┤  subcommands stand behind their container
//!   admin::table()  ────┘   (rename-command)   └─ slots: open-addressed, lower-cased name -> id
//!
//! Built once at start and never changed, so that every worker reads it without a lock, and figures
//! are arrays indexed by `CommandId`. A name's first eight bytes, in lower case, are one number, which
//! is the whole of most names: hashing and comparing it touches no memory but the slot.
//!
//! T1  a name is at most `NAME_MAX` bytes; a longer word is no command.
//! T2  slots are a power of two and at most half full, so a probe ends.
//! T3  rename-command changes the look-up alone: rows keep their own name for ACL, INFO and errors.
//!
//! Checked by: tests below.

use std::fmt;

use commands::spec::{CommandSpec, Flags, Locks};
use resp::Args;

use crate::admin;
use crate::plan::KeyShape;

/// The longest name that a command may have; a renamed one too.
pub const NAME_MAX: usize = 64;

/// Which command: an index into the table and into every figure kept by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// The code behind a row.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// A data command.
    Data(commands::Handler),
    /// A command about the server itself.
    Admin(admin::Handler),
}

/// One command or subcommand, as it can be called in this run.
#[derive(Debug)]
pub struct Command {
    /// Its index.
    pub id: CommandId,
    /// Its row; `subcommands` is empty here, see [`Command::subcommands`].
    pub spec: CommandSpec<Run>,
    /// `client|getname`, or the name alone.
    pub full_name: Box<str>,
    /// The container, of a subcommand.
    pub parent: Option<CommandId>,
    /// The subcommands, of a container.
    pub subcommands: Vec<CommandId>,
    /// Which of the commands that the dispatcher itself must know it is.
    pub special: Special,
    /// Where its keys are, for the common case.
    pub key_shape: KeyShape,
    /// Whether a unit is needed at all: a data command, keys, or locks beyond them.
    pub needs_unit: bool,
    /// DEBUG and MODULE: only where a parameter allows.
    pub is_protected: bool,
    /// About the server itself: its handler may look at clients and configuration.
    pub is_admin: bool,
}

/// Commands that the dispatcher treats apart; everything else is said by flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// Nothing special.
    None,
    /// Its locks are those of the queued commands and of the watched keys.
    Exec,
    /// Runs inside MULTI instead of being queued.
    RunsInMulti,
}

impl Command {
    /// Whether the row has this flag.
    #[must_use]
    pub fn has(&self, flag: Flags) -> bool {
        self.spec.flags.meets(flag)
    }
}

/// Why a table could not be built: `rename-command` names what is not there, or what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenameError {
    /// There is no such command.
    NoSuchCommand(String),
    /// The new name belongs to another command.
    Taken(String),
    /// The new name is too long.
    TooLong(String),
}

impl fmt::Display for RenameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCommand(_) => f.write_str("No such command in rename-command"),
            Self::Taken(_) => f.write_str("Target command name already exists"),
            Self::TooLong(_) => write!(f, "Target command name is longer than {NAME_MAX} bytes"),
        }
    }
}

impl std::error::Error for RenameError {}

/// Every command of this run.
#[derive(Debug)]
pub struct CommandTable {
    commands: Vec<Command>,
    /// The top-level ones, in table order: COMMAND's order.
    top: Vec<CommandId>,
    /// By the name's head and length.
    slots: Vec<Slot>,
    /// The names by which clients call the top-level commands, by id.
    names: Vec<Option<Box<[u8]>>>,
}

impl CommandTable {
    /// Joins both tables and applies `rename-command` (old name, new name; empty: not callable).
    ///
    /// # Errors
    /// When a rename names no command or a name that is in use.
    pub fn new(renames: &[(String, String)]) -> Result<CommandTable, RenameError> {
        let mut table = CommandTable {
            commands: Vec::new(),
            top: Vec::new(),
            slots: Vec::new(),
            names: Vec::new(),
        };
        for spec in commands::table().iter().copied().flatten() {
            table.add(spec, None, Run::Data);
        }
        for spec in admin::table().iter().copied().flatten() {
            table.add(spec, None, Run::Admin);
        }
        for (old, new) in renames {
            table.rename(old, new)?;
        }
        table.index();
        Ok(table)
    }

    fn add<H: Copy>(
        &mut self,
        spec: &CommandSpec<H>,
        parent: Option<CommandId>,
        wrap: fn(H) -> Run,
    ) -> CommandId {
        let id = CommandId(u16::try_from(self.commands.len()).expect("a few hundred commands"));
        assert!(spec.name.len() <= NAME_MAX, "T1");
        let full_name = match parent {
            Some(parent) => format!("{}|{}", self.command(parent).spec.name, spec.name).into(),
            None => spec.name.into(),
        };
        let special = match (parent, spec.name) {
            (None, "exec") => Special::Exec,
            (None, "discard" | "multi" | "watch" | "quit" | "reset") => Special::RunsInMulti,
            _ => Special::None,
        };
        let run = wrap(spec.run);
        let key_shape = KeyShape::of(spec.keys);
        let top_name = parent.map_or(spec.name, |parent| self.command(parent).spec.name);
        self.commands.push(Command {
            id,
            full_name,
            parent,
            subcommands: Vec::new(),
            special,
            key_shape,
            needs_unit: matches!(run, Run::Data(_))
                || spec.locks != Locks::Keys
                || key_shape != KeyShape::None
                || special == Special::Exec,
            is_admin: matches!(run, Run::Admin(_)),
            is_protected: top_name == "debug"
                || (top_name == "module" && matches!(spec.name, "load" | "loadex" | "unload")),
            spec: CommandSpec {
                name: spec.name,
                arity: spec.arity,
                keys: spec.keys,
                locks: spec.locks,
                flags: spec.flags,
                acl: spec.acl,
                log: spec.log,
                group: spec.group,
                since: spec.since,
                summary: spec.summary,
                complexity: spec.complexity,
                syntax: spec.syntax,
                tips: spec.tips,
                subcommands: &[],
                run,
            },
        });
        self.names
            .push(parent.is_none().then(|| spec.name.as_bytes().into()));
        if parent.is_none() {
            self.top.push(id);
        }
        for sub in spec.subcommands {
            let sub = self.add(sub, Some(id), wrap);
            self.commands[usize::from(id.0)].subcommands.push(sub);
        }
        id
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), RenameError> {
        let named = |names: &[Option<Box<[u8]>>], wanted: &str| {
            names.iter().position(|name| {
                name.as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(wanted.as_bytes()))
            })
        };
        let id =
            named(&self.names, old).ok_or_else(|| RenameError::NoSuchCommand(old.to_owned()))?;
        if new.len() > NAME_MAX {
            return Err(RenameError::TooLong(new.to_owned()));
        }
        self.names[id] = None;
        if !new.is_empty() {
            if named(&self.names, new).is_some() {
                return Err(RenameError::Taken(new.to_owned()));
            }
            self.names[id] = Some(new.to_ascii_lowercase().into_bytes().into());
        }
        Ok(())
    }

    fn index(&mut self) {
        let callable = self.names.iter().flatten().count();
        self.slots = vec![Slot::default(); (callable * 2).next_power_of_two().max(2)];
        let mask = self.slots.len() - 1;
        for (id, name) in self.names.iter().enumerate() {
            let Some(name) = name else { continue };
            let head = head(name);
            let mut at = place(head, name.len()) & mask;
            while self.slots[at].id != 0 {
                at = (at + 1) & mask;
            }
            let id = u16::try_from(id + 1).expect("a few hundred commands");
            let len = u16::try_from(name.len()).expect("T1");
            self.slots[at] = Slot { head, len, id };
        }
    }

    /// Puts other code behind a command, for tests of what the dispatcher does with it.
    #[cfg(test)]
    pub(crate) fn replace(&mut self, name: &str, run: Run) {
        let id = self.by_full_name(name).expect("a command").id;
        self.commands[usize::from(id.0)].spec.run = run;
    }

    /// The command with this id.
    #[inline]
    #[must_use]
    pub fn command(&self, id: CommandId) -> &Command {
        &self.commands[usize::from(id.0)]
    }

    /// The top-level command that clients call by `name` (any case).
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Command> {
        let head = head(name);
        let mask = self.slots.len() - 1;
        let mut at = place(head, name.len()) & mask;
        loop {
            let slot = self.slots[at];
            let id = usize::from(slot.id.checked_sub(1)?);
            if slot.head == head
                && usize::from(slot.len) == name.len()
                && (name.len() <= HEAD || self.is_called(id, name))
            {
                return Some(&self.commands[id]);
            }
            at = (at + 1) & mask;
        }
    }

    fn is_called(&self, id: usize, name: &[u8]) -> bool {
        self.names[id]
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    }

    /// The command, or subcommand, that a request calls. None when there is no such command, or when a
    /// container is called without a subcommand that it has. A container that is a command of its own
    /// too (COMMAND, SLOWLOG's kin have none) is what it is when called alone.
    #[inline]
    #[must_use]
    pub fn resolve(&self, args: Args<'_>) -> Option<&Command> {
        let command = self.find(args.get(0))?;
        if command.subcommands.is_empty() || (args.len() == 1 && command.spec.arity.accepts(1)) {
            return Some(command);
        }
        self.find_sub(command, args.try_get(1)?)
    }

    /// The subcommand of `container` that `word` names (any case).
    #[must_use]
    pub fn find_sub(&self, container: &Command, word: &[u8]) -> Option<&Command> {
        container
            .subcommands
            .iter()
            .map(|&id| self.command(id))
            .find(|sub| sub.spec.name.as_bytes().eq_ignore_ascii_case(word))
    }

    /// The command by its row's name, `container|sub` included; renames do not matter (ACL, tests).
    #[must_use]
    pub fn by_full_name(&self, name: &str) -> Option<&Command> {
        self.commands
            .iter()
            .find(|command| command.full_name.eq_ignore_ascii_case(name))
    }

    /// Every command and subcommand, by id.
    #[must_use]
    pub fn all(&self) -> &[Command] {
        &self.commands
    }

    /// The top-level commands that can be called, with their present names, in table order.
    pub fn callable(&self) -> impl Iterator<Item = (&[u8], &Command)> {
        self.top.iter().filter_map(|&id| {
            let name = self.names[usize::from(id.0)].as_deref()?;
            Some((name, self.command(id)))
        })
    }
}

/// A place of the look-up.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The first bytes of the name.
    head: u64,
    /// Length of the name.
    len: u16,
    /// The command's id + 1; 0 is empty.
    id: u16,
}

/// Bytes of a name in its head.
const HEAD: usize = 8;

/// The first eight bytes of a name in lower case as a number, shorter ones padded with zeros.
#[inline]
fn head(name: &[u8]) -> u64 {
    let len = name.len();
    let word = if let Some(first) = name.first_chunk::<8>() {
        u64::from_le_bytes(*first)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        // The two overlap where both say the same.
        u64::from(u32::from_le_bytes(*first))
            | u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4))
    } else {
        name.iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    };
    to_lower(word)
}

/// Eight ASCII bytes in lower case at once.
#[inline]
fn to_lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (EACH * 0x7F);
    // Bit 7 of each byte: whether it is at least 'A'; whether it is beyond 'Z'. No carry leaves a
    // byte, because each is below 0x80 before the addition.
    let from_a = low_bits + EACH * (0x80 - b'A' as u64);
    let beyond_z = low_bits + EACH * (0x7F - b'Z' as u64);
    let upper = from_a & !beyond_z & !word & (EACH * 0x80);
    word | upper >> 2
}

/// Where the search for a name begins. Attackers cannot choose what is in the table, so nothing
/// stronger than a multiplication is needed.
#[inline]
fn place(head: u64, len: usize) -> usize {
    ((head ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(renames: &[(&str, &str)]) -> Result<CommandTable, RenameError> {
        let renames: Vec<_> = renames
            .iter()
            .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
            .collect();
        CommandTable::new(&renames)
    }

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        let table = table(&[]).expect("no renames");
        for command in table
            .all()
            .iter()
            .filter(|command| command.parent.is_none())
        {
            let name = command.spec.name;
            for word in [name.to_owned(), name.to_uppercase()] {
                let found = table.find(word.as_bytes()).map(|found| found.id);
                assert_eq!(found, Some(command.id), "{name}");
            }
            assert!(table.find(format!("{name}_").as_bytes()).is_none());
        }
        assert!(table.find(b"").is_none());
        assert!(table.find(&[b'a'; NAME_MAX + 1]).is_none());
    }

    #[test]
    fn every_syntax_line_parses_and_prints_as_it_was() {
        for command in table(&[]).expect("no renames").all() {
            let syntax = command.spec.syntax;
            let arguments = commands::syntax::parse(syntax, 1)
                .unwrap_or_else(|why| panic!("{}: {why}", command.full_name));
            let line = commands::syntax::line(&arguments);
            assert_eq!(line, syntax, "{}", command.full_name);
        }
    }

    #[test]
    fn a_head_is_the_name_in_lower_case() {
        let check = |name: &[u8], expected: &[u8; 8]| {
            assert_eq!(
                head(name).to_le_bytes(),
                *expected,
                "{}",
                String::from_utf8_lossy(name)
            );
        };
        check(b"", &[0; 8]);
        check(b"G", b"g\0\0\0\0\0\0\0");
        check(b"gEt", b"get\0\0\0\0\0");
        check(b"MGet", b"mget\0\0\0\0");
        check(b"SETEX", b"setex\0\0\0");
        check(b"GETRANGE", b"getrange");
        check(b"BITFIELD_RO", b"bitfield");
        for byte in 0..=u8::MAX {
            let expected = u64::from(byte.to_ascii_lowercase()) * 0x0101_0101_0101_0101;
            assert_eq!(head(&[byte; 9]), expected);
        }
    }

    #[test]
    fn names_are_unique_and_subcommands_have_parents() {
        let table = table(&[]).expect("no renames");
        let mut names: Vec<_> = table
            .all()
            .iter()
            .map(|command| &*command.full_name)
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for command in table.all() {
            for &sub in &command.subcommands {
                assert_eq!(table.command(sub).parent, Some(command.id));
                let word = table.command(sub).spec.name.to_uppercase();
                assert_eq!(
                    table.find_sub(command, word.as_bytes()).map(|sub| sub.id),
                    Some(sub)
                );
            }
        }
    }

    #[test]
    fn renamed_commands_answer_to_the_new_name_alone() {
        let renamed = table(&[("PING", "Pong"), ("echo", "")]).expect("both exist");
        assert_eq!(
            renamed.find(b"PONG").map(|command| command.spec.name),
            Some("ping")
        );
        assert!(renamed.find(b"ping").is_none() && renamed.find(b"echo").is_none());
        assert!(renamed.by_full_name("echo").is_some());
        let error = |renames: &[(&str, &str)]| table(renames).map(|_| ()).expect_err("refused");
        assert_eq!(
            error(&[("nosuch", "x")]),
            RenameError::NoSuchCommand("nosuch".into())
        );
        assert_eq!(
            error(&[("ping", "ECHO")]),
            RenameError::Taken("ECHO".into())
        );
        assert_eq!(
            error(&[("echo", ""), ("echo", "x")]),
            RenameError::NoSuchCommand("echo".into())
        );
    }
}
