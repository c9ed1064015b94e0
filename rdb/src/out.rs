//! Where the bytes of values go.
//!
//! ```text
//!   writers ──▶ bytes ──(past a mebibyte, between two strings)──▶ whoever writes them out
//! ```
//!
//! A payload (DUMP) stays where it is put, whole. A file's bytes are handed on whenever more than
//! [`HAND_ON_BYTES`] have gathered, within a value too, so that a hash of ten million fields never
//! stands in memory twice. What is handed on is gone: no writer goes back further than to where
//! the string began that it is writing.
//!
//! The compressor and the form in which values are written ([`Form`]) travel along, because every
//! writer of every kind passes them down to its strings.

use crate::form::Form;
use crate::lzf::Compressor;
use crate::string;
use store::Str;

/// How many bytes gather before they are handed on.
pub const HAND_ON_BYTES: usize = 1 << 20;

/// Takes what has gathered, and leaves the vector empty (or another empty one in its place).
pub type HandOn<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// Where the bytes of values go, and how they are written.
pub struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    compressor: Option<&'a mut Compressor>,
    form: Form,
    /// What stands between a value's type and the value, in a file.
    key: Option<&'a [u8]>,
    hand_on: Option<HandOn<'a>>,
}

impl<'a> Out<'a> {
    /// Appends to `bytes` and keeps them all there, in the form of payloads.
    pub fn payload(bytes: &'a mut Vec<u8>, compressor: Option<&'a mut Compressor>) -> Self {
        Out {
            bytes,
            compressor,
            form: Form::default(),
            key: None,
            hand_on: None,
        }
    }

    /// As [`Out::payload`], written in the form `form`.
    #[must_use]
    pub fn in_form(self, form: Form) -> Self {
        Out { form, ..self }
    }

    /// As one that writes the value of this key in a file.
    #[must_use]
    pub fn with_key(self, key: &'a [u8]) -> Self {
        Out {
            key: Some(key),
            ..self
        }
    }

    /// Hands the bytes on to `hand_on` when there are many.
    #[must_use]
    pub fn handing_on(self, hand_on: HandOn<'a>) -> Self {
        Out {
            hand_on: Some(hand_on),
            ..self
        }
    }

    /// The form in which values are written.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Appends a value's type, and its key if there is one: every value begins so.
    pub(crate) fn head(&mut self, number: u8) {
        self.push(number);
        if let Some(key) = self.key.take() {
            string::write(Str::Bytes(key), self);
        }
    }

    /// Appends a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends a few bytes.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends any number of bytes, handing on in between.
    pub(crate) fn extend_long(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(HAND_ON_BYTES) {
            self.extend(part);
            self.pause();
        }
    }

    /// Between two strings: hands on what has gathered, if that is much.
    #[inline]
    pub(crate) fn pause(&mut self) {
        if self.bytes.len() >= HAND_ON_BYTES
            && let Some(hand_on) = &mut self.hand_on
        {
            hand_on(self.bytes);
        }
    }

    /// How many bytes stand here that have not been handed on.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// Appends `bytes` compressed, if there is a compressor and they then take `room` bytes at most.
    pub(crate) fn compress(&mut self, bytes: &[u8], room: usize) -> bool {
        match &mut self.compressor {
            Some(compressor) => compressor.compress(bytes, room, self.bytes),
            None => false,
        }
    }

    /// Moves what stands behind the first `count` bytes since `begin` in front of them.
    pub(crate) fn turn_in(&mut self, begin: usize, count: usize) {
        self.bytes[begin..].rotate_left(count);
    }
}

impl std::fmt::Debug for Out<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out")
            .field("pending", &self.bytes.len())
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
