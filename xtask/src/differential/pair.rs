//! Two servers that get the same requests in the same order.

use super::compare::{is_error, is_full, same};
use super::generate::{Case, Line};
use super::rules::How;
use super::table::Table;
use crate::Res;
use crate::wire::{Client, Reply, encode};
use std::time::Duration;

pub(crate) struct Pair {
    ours: Client,
    theirs: Client,
}

/// Where the servers part.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// Which of the cases.
    pub(crate) case: usize,
    pub(crate) what: String,
    pub(crate) ours: Reply,
    pub(crate) theirs: Reply,
}

impl Pair {
    pub(crate) fn connect(ours: u16, theirs: u16) -> Res<Pair> {
        let deadline = Duration::from_secs(20);
        Ok(Pair {
            ours: Client::connect(ours, deadline)?,
            theirs: Client::connect(theirs, deadline)?,
        })
    }

    pub(crate) fn ours(&mut self) -> &mut Client {
        &mut self.ours
    }

    pub(crate) fn theirs(&mut self) -> &mut Client {
        &mut self.theirs
    }

    /// Empties both and begins in database 0 with protocol 2 or 3.
    pub(crate) fn reset(&mut self, protocol: &str) -> Res<()> {
        for client in [&mut self.ours, &mut self.theirs] {
            // DISCARD fails where there is no transaction.
            client.ask(&["DISCARD"])?;
            client.ask(&["HELLO", protocol])?;
            client.ask(&["SELECT", "0"])?;
            client.ask(&["FLUSHALL"])?;
        }
        Ok(())
    }

    /// Sends the cases as one pipeline and compares the replies; the first difference.
    pub(crate) fn run(
        &mut self,
        cases: &[Case],
        mut table: Option<&mut Table>,
    ) -> Res<Option<Difference>> {
        let mut bytes = Vec::new();
        for line in cases.iter().flat_map(|case| &case.lines) {
            encode(&mut bytes, &line.words);
        }
        self.ours.send_raw(&bytes)?;
        self.theirs.send_raw(&bytes)?;
        let mut first = None;
        for (case, at) in cases.iter().zip(0..) {
            for line in &case.lines {
                let ours = self.ours.read().map_err(|e| format!("ours: {e}"))?;
                let theirs = self.theirs.read().map_err(|e| format!("the peer: {e}"))?;
                let is_end = case.in_exec && line.words[0] == b"EXEC";
                let wrong = match is_end {
                    true => wrong_in_exec(case, &ours, &theirs),
                    false => {
                        let exact = How::default();
                        let how = if case.in_exec { &exact } else { &line.how };
                        (!same(&ours, &theirs, how)).then_some(line)
                    }
                };
                if let Some(table) = table.as_deref_mut() {
                    if is_end {
                        enter_exec(table, case, &theirs);
                    } else if let (Some(command), false) = (line.command, case.in_exec) {
                        table.enter(command, &line.used, is_full(&theirs), is_error(&theirs));
                    }
                }
                if let (Some(wrong), None) = (wrong, &first) {
                    let what = wrong.name();
                    first = Some(Difference {
                        case: at,
                        what,
                        ours,
                        theirs,
                    });
                }
            }
        }
        Ok(first)
    }

    /// Compares what they hold.
    pub(crate) fn digests(&mut self) -> Res<Option<(Reply, Reply)>> {
        let ours = self.ours.ask(&["DEBUG", "DIGEST"])?;
        let theirs = self.theirs.ask(&["DEBUG", "DIGEST"])?;
        Ok((ours != theirs).then_some((ours, theirs)))
    }
}

/// The request whose element of EXEC's list is not as that request wants it.
fn wrong_in_exec<'c>(case: &'c Case, ours: &Reply, theirs: &Reply) -> Option<&'c Line> {
    let end = case.lines.len() - 1;
    let (Reply::Many(m, a), Reply::Many(n, b)) = (ours, theirs) else {
        return (ours != theirs).then_some(&case.lines[end]);
    };
    let queued = &case.lines[1..end];
    if m != n || a.len() != b.len() || a.len() > queued.len() {
        return Some(&case.lines[end]);
    }
    let mut elements = a.iter().zip(b).zip(queued);
    elements.find_map(|((a, b), line)| (!same(a, b, &line.how)).then_some(line))
}

fn enter_exec(table: &mut Table, case: &Case, reply: &Reply) {
    let Reply::Many(_, replies) = reply else {
        return;
    };
    for (line, reply) in case.lines[1..].iter().zip(replies) {
        if let Some(command) = line.command {
            table.enter(command, &line.used, is_full(reply), is_error(reply));
        }
    }
}
