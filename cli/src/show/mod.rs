//! A reply as text, in one of five forms.
//!
//! Whole replies end with a line's end, in raw form with `-D`; a page (INFO and its like) is shown
//! raw in every form and ends as the server ended it.
//!
//! Checked by: tests in each form's file; `cargo xtask client`, beside the machine's `redis-cli`.

mod json;
mod people;
mod plain;

use resp::client::Value;

/// How replies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Quoted, numbered, indented.
    People,
    /// Bytes as they are.
    Raw,
    /// Comma-separated values.
    Csv,
    /// JSON, in which bytes beyond ASCII stay as they are.
    Json,
    /// JSON of quoted strings, which is ASCII.
    QuotedJson,
}

/// A form with the words that stand between and behind.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) form: Form,
    /// `-d`
    pub(crate) between_elements: Vec<u8>,
    /// `-D`
    pub(crate) behind_replies: Vec<u8>,
}

impl Style {
    /// A whole reply.
    pub(crate) fn reply(&self, value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        match self.form {
            Form::People => people::show(&mut out, value, &mut Vec::new()),
            Form::Raw => {
                plain::raw(&mut out, value, &self.between_elements);
                out.extend_from_slice(&self.behind_replies);
            }
            Form::Csv => {
                plain::csv(&mut out, value);
                out.push(b'\n');
            }
            Form::Json | Form::QuotedJson => {
                json::show(&mut out, value, self.form == Form::QuotedJson);
                out.push(b'\n');
            }
        }
        out
    }

    /// A reply that is a page to be read.
    pub(crate) fn page(&self, value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        plain::raw(&mut out, value, &self.between_elements);
        out
    }

    /// A push that came between replies.
    pub(crate) fn push(&self, value: &Value) -> Vec<u8> {
        match (self.form, value) {
            (Form::People, Value::Push(list)) => match list.as_slice() {
                [Value::Bulk(kind), Value::Array(keys)] if kind == b"invalidate" => {
                    people::invalidated(keys)
                }
                _ => self.reply(value),
            },
            _ => self.reply(value),
        }
    }
}
