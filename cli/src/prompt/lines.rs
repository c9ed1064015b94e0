//! Where lines come from: an editor on a terminal, plain reading elsewhere.
//!
//! A pipe gets no prompt, so that a script's output is only what its commands answered.

use super::assist::Assistant;
use super::history::History;
use crate::help::Help;
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{ColorMode, Editor};
use std::io::BufRead as _;

/// A source of lines.
pub(super) enum Lines {
    Editor(Box<Edited>),
    Plain(Help),
}

pub(super) struct Edited {
    editor: Editor<Assistant, MemHistory>,
    history: History,
}

impl Lines {
    /// An editor when `people` type, and the terminal lets itself be edited on.
    pub(super) fn new(people: bool, help: Help, hints: bool) -> Lines {
        if !people {
            return Lines::Plain(help);
        }
        let Some(mut editor) = editor(false) else {
            return Lines::Plain(help);
        };
        let history = History::load();
        for line in history.lines() {
            // Memory only: cannot fail.
            let _ = editor.add_history_entry(line);
        }
        editor.set_helper(Some(Assistant::new(help, hints)));
        Lines::Editor(Box::new(Edited { editor, history }))
    }

    /// The next line, without its end; `None` when there is no more, or Ctrl-C was pressed.
    pub(super) fn next(&mut self, prompt: &str) -> Option<String> {
        match self {
            Lines::Editor(edited) => edited.editor.readline(prompt).ok(),
            Lines::Plain(_) => {
                let mut line = Vec::new();
                let read = std::io::stdin().lock().read_until(b'\n', &mut line);
                if matches!(read, Ok(0) | Err(_)) {
                    return None;
                }
                while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
                    line.pop();
                }
                // Bytes that are no text are sent with escapes.
                Some(String::from_utf8_lossy(&line).into_owned())
            }
        }
    }

    /// Keeps a line in the history.
    pub(super) fn keep(&mut self, line: &str) {
        if let Lines::Editor(edited) = self {
            // Memory only: cannot fail.
            let _ = edited.editor.add_history_entry(line);
            edited.history.add(line);
        }
    }

    pub(super) fn clear_screen(&mut self) {
        if let Lines::Editor(edited) = self {
            // The screen stays as it is where it cannot be cleared.
            let _ = edited.editor.clear_screen();
        }
    }

    pub(super) fn set_hints(&mut self, on: bool) {
        if let Lines::Editor(edited) = self
            && let Some(assistant) = edited.editor.helper_mut()
        {
            assistant.hints = on;
        }
    }

    pub(super) fn set_help(&mut self, help: Help) {
        match self {
            Lines::Editor(edited) => {
                if let Some(assistant) = edited.editor.helper_mut() {
                    assistant.help = help;
                }
            }
            Lines::Plain(ours) => *ours = help,
        }
    }

    /// Whether somebody sees hints, so that help is worth asking for again.
    pub(super) fn wants_help(&self) -> bool {
        matches!(self, Lines::Editor(_))
    }

    pub(super) fn help(&self) -> &Help {
        match self {
            Lines::Editor(edited) => {
                &edited
                    .editor
                    .helper()
                    .expect("the editor got one when it was made")
                    .help
            }
            Lines::Plain(help) => help,
        }
    }
}

/// `coloured`: colours even where the terminal does not say that it has some.
fn editor(coloured: bool) -> Option<Editor<Assistant, MemHistory>> {
    let mut config = Config::builder()
        .completion_type(CompletionType::Circular)
        .max_history_size(super::history::LINES_MAX)
        .ok()?
        .auto_add_history(false);
    if coloured {
        config = config.color_mode(ColorMode::Forced);
    }
    let config = config.build();
    let history = MemHistory::with_config(&config);
    Editor::with_history(config, history).ok()
}

/// Asks a password, showing stars; `None` when nobody answers.
pub(super) fn ask_password(text: &str) -> Option<String> {
    let mut editor = editor(true)?;
    let mut assistant = Assistant::new(Help::default(), false);
    assistant.masked = true;
    editor.set_helper(Some(assistant));
    match editor.readline(text) {
        Ok(line) => Some(line),
        Err(ReadlineError::Interrupted) => std::process::exit(1),
        Err(_) => None,
    }
}
