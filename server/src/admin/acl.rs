//! ACL, as far as a server with one user can answer: who am I, what is there, a password to use.
//!
//! The user is `default`; it may do everything and has the password that `requirepass` says, or none.
//! Passwords are shown as their SHA-256, as everywhere in ACLs. Other users are not built, so there is
//! no SETUSER, DELUSER, LOAD, SAVE, LOG and DRYRUN.
//!
//! Checked by: tests/transcripts/server/acl.txt.

use std::fmt::Write as _;

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use sha2::{Digest as _, Sha256};

use super::{AdminCall, Handler, help_lines};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&ACL];

/// ACL subcommand
const ACL: CommandSpec<Handler> = CommandSpec {
    name: "acl",
    arity: Arity::AtLeast(2),
    flags: Flags::SENTINEL,
    summary: "A container for Access List Control commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[CAT, GENPASS, GETUSER, HELP, LIST, USERS, WHOAMI],
    ..BASE
};

/// What anybody may ask.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SENTINEL),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "6.0.0",
    ..CommandSpec::row(whoami)
};

/// What is for administrators.
const ADMIN: CommandSpec<Handler> = CommandSpec {
    flags: BASE.flags.or(Flags::ADMIN),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    ..BASE
};

/// ACL CAT [category]
const CAT: CommandSpec<Handler> = CommandSpec {
    name: "cat",
    arity: Arity::AtLeast(2),
    summary: "Lists the ACL categories, or the commands inside a category.",
    complexity: "O(1) since the categories and commands are a fixed set.",
    syntax: "[category]",
    run: cat,
    ..BASE
};

fn cat(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    match call.args.len() {
        2 => {
            call.reply.array(Acl::ALL.len());
            for (_, word) in Acl::ALL {
                call.reply.bulk(word.as_bytes());
            }
        }
        3 => {
            let wanted = Acl::ALL.iter().find(|(_, word)| call.is(2, word));
            let Some(&(category, _)) = wanted else {
                let text = format!("ERR Unknown category '{}'", call.text(2));
                return Err(CommandError::Text(text.into()));
            };
            let all = call.server.commands.all().iter();
            let names: Vec<&str> = all
                .filter(|command| command.spec.acl.has(category))
                .map(|command| &*command.full_name)
                .collect();
            call.reply.array(names.len());
            for name in names {
                call.reply.bulk(name.as_bytes());
            }
        }
        _ => return Err(too_many_words(call)),
    }
    Ok(())
}

/// ACL GENPASS [bits]
const GENPASS: CommandSpec<Handler> = CommandSpec {
    name: "genpass",
    arity: Arity::AtLeast(2),
    summary: "Generates a pseudorandom, secure password that can be used to identify ACL users.",
    syntax: "[bits]",
    run: genpass,
    ..BASE
};

fn genpass(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let bits = match call.args.len() {
        2 => 256,
        3 => resp::number::parse_i64(call.args.get(2)).ok_or(CommandError::NotInteger)?,
        _ => return Err(too_many_words(call)),
    };
    if !(1..=4_096).contains(&bits) {
        return Err(CommandError::Fixed(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
             number up to 4096",
        ));
    }
    let digits = usize::try_from((bits + 3) / 4).expect("at most 1,024");
    let mut bytes = vec![0; digits.div_ceil(2)];
    os::random::fill(&mut bytes).map_err(|error| {
        let text = format!("ERR the system gave no random bytes: {error}");
        CommandError::Text(text.into())
    })?;
    call.reply.bulk(&hex(&bytes).as_bytes()[..digits]);
    Ok(())
}

/// ACL GETUSER username
const GETUSER: CommandSpec<Handler> = CommandSpec {
    name: "getuser",
    arity: Arity::Exactly(3),
    summary: "Lists the ACL rules of a user.",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    syntax: "username",
    run: getuser,
    ..ADMIN
};

fn getuser(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.args.get(2) != b"default" {
        call.reply.null();
        return Ok(());
    }
    let password = password_hash(call);
    let (reply, flags) = (&mut *call.reply, flags(password.as_deref()));
    reply.map(6);
    reply.bulk(b"flags");
    reply.set(flags.len());
    for flag in flags {
        reply.bulk(flag.as_bytes());
    }
    reply.bulk(b"passwords");
    reply.array(usize::from(password.is_some()));
    if let Some(hash) = password {
        reply.bulk(hash.as_bytes());
    }
    for (field, rules) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        reply.bulk(field.as_bytes());
        reply.bulk(rules.as_bytes());
    }
    reply.bulk(b"selectors");
    reply.array(0);
    Ok(())
}

/// ACL HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::SENTINEL),
    summary: "Returns helpful text about the different subcommands.",
    run: help,
    ..BASE
};

const HELP_LINES: &[&str] = &[
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}

/// ACL LIST
const LIST: CommandSpec<Handler> = CommandSpec {
    name: "list",
    arity: Arity::Exactly(2),
    summary: "Dumps the effective rules in ACL file format.",
    complexity: "O(N). Where N is the number of configured users.",
    run: list,
    ..ADMIN
};

fn list(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let password = password_hash(call);
    let flags = flags(password.as_deref()).join(" ");
    let password = password.map_or(String::new(), |hash| format!("#{hash} "));
    let line = format!("user default {flags} {password}~* &* +@all");
    call.reply.array(1);
    call.reply.bulk(line.as_bytes());
    Ok(())
}

/// ACL USERS
const USERS: CommandSpec<Handler> = CommandSpec {
    name: "users",
    arity: Arity::Exactly(2),
    summary: "Lists all ACL users.",
    complexity: "O(N). Where N is the number of configured users.",
    run: users,
    ..ADMIN
};

fn users(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(1);
    call.reply.bulk(b"default");
    Ok(())
}

/// ACL WHOAMI
const WHOAMI: CommandSpec<Handler> = CommandSpec {
    name: "whoami",
    arity: Arity::Exactly(2),
    summary: "Returns the authenticated username of the current connection.",
    run: whoami,
    ..BASE
};

fn whoami(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.bulk(&call.client.names().user);
    Ok(())
}

/// The flags of the user, in ACL LIST's order.
fn flags(password: Option<&str>) -> Vec<&'static str> {
    match password {
        Some(_) => vec!["on", "sanitize-payload"],
        None => vec!["on", "nopass", "sanitize-payload"],
    }
}

fn password_hash(call: &AdminCall<'_, '_>) -> Option<String> {
    let password = call.desk.live.requirepass.as_ref()?;
    Some(hex(&Sha256::digest(password)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn too_many_words(call: &AdminCall<'_, '_>) -> CommandError {
    let word = call.text(1);
    let text =
        format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP.");
    CommandError::Text(text.into())
}
