//! A pattern as it is written becomes tokens: the corners are told in `mod.rs`.

use std::collections::HashMap;

use super::{Case, Class, Pattern, Token, add};

/// Reads the written pattern into tokens.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    case: Case,
    /// Numbers of the classes that were met.
    known: HashMap<Class, u32>,
    pub(super) made: Pattern,
}

impl<'a> Reader<'a> {
    pub(super) fn new(pattern: &'a [u8], case: Case) -> Self {
        Reader {
            rest: pattern,
            case,
            known: HashMap::new(),
            made: Pattern {
                tokens: Vec::new(),
                ends: Vec::new(),
                bytes: Vec::new(),
                classes: Vec::new(),
                all: pattern == b"*",
            },
        }
    }

    pub(super) fn read(mut self) -> Pattern {
        let mut after_star = false;
        while let Some(byte) = self.next() {
            if byte == b'*' {
                // Stars in a row are one.
                if !after_star {
                    self.made.ends.push(self.made.tokens.len());
                }
                after_star = true;
                continue;
            }
            after_star = false;
            let token = match byte {
                b'?' => Token::Any,
                b'[' => self.class(),
                // A backslash at the end stands for itself.
                b'\\' => {
                    let escaped = self.next().unwrap_or(b'\\');
                    self.byte(escaped)
                }
                plain => self.byte(plain),
            };
            self.made.tokens.push(token);
            self.made.bytes.push(if let Token::Byte(byte) = token {
                byte
            } else {
                0
            });
        }
        self.made.ends.push(self.made.tokens.len());
        self.made
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn byte(&mut self, byte: u8) -> Token {
        if self.case == Case::Sensitive || !byte.is_ascii_alphabetic() {
            return Token::Byte(byte);
        }
        let mut both = [0; 4];
        add(&mut both, byte.to_ascii_lowercase());
        add(&mut both, byte.to_ascii_uppercase());
        self.intern(both)
    }

    /// Reads a class behind its bracket.
    pub(super) fn class(&mut self) -> Token {
        let mut class = [0; 4];
        let inverted = self.rest.first() == Some(&b'^');
        if inverted {
            self.rest = &self.rest[1..];
        }
        loop {
            match *self.rest {
                [b'\\', escaped, ..] => {
                    add(&mut class, escaped);
                    self.rest = &self.rest[2..];
                }
                [b']', ..] => {
                    self.rest = &self.rest[1..];
                    break;
                }
                [] => break,
                [from, b'-', to, ..] => {
                    self.range(from.min(to), from.max(to), &mut class);
                    self.rest = &self.rest[3..];
                }
                [byte, ..] => {
                    self.range(byte, byte, &mut class);
                    self.rest = &self.rest[1..];
                }
            }
        }
        self.intern(if inverted {
            class.map(|word| !word)
        } else {
            class
        })
    }

    /// Adds a range. With folded case its ends and the text's byte are compared in lower case, so
    /// that `[Z-a]` is the empty range from `z` to `a`.
    fn range(&self, from: u8, to: u8, class: &mut Class) {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        match self.case {
            Case::Sensitive => (from..=to).for_each(|byte| add(class, byte)),
            Case::Folded => (0..=u8::MAX)
                .filter(|byte| (lower(from)..=lower(to)).contains(&lower(*byte)))
                .for_each(|byte| add(class, byte)),
        }
    }

    /// Each class is kept once: a pattern of a million brackets makes no million classes.
    fn intern(&mut self, class: Class) -> Token {
        let made = &mut self.made.classes;
        let number = *self.known.entry(class).or_insert_with(|| {
            made.push(class);
            u32::try_from(made.len() - 1).expect("a request has fewer bytes than that")
        });
        Token::Class(number)
    }
}
