//! How often each command, and each option of it, had a reply that says something.

use super::random::Random;
use super::rules::Rules;

/// How many full replies every form must have had.
pub(crate) const WANTED: u64 = 100;

#[derive(Debug, Clone, Default)]
struct Form {
    full: u64,
    asked: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    names: Vec<String>,
    tokens: Vec<Vec<String>>,
    /// For each command itself, then each of its tokens.
    forms: Vec<Vec<Form>>,
    replies: u64,
    errors: u64,
}

impl Table {
    pub(crate) fn new(names: Vec<String>, tokens: Vec<Vec<String>>) -> Table {
        let forms = tokens
            .iter()
            .map(|t| vec![Form::default(); t.len() + 1])
            .collect();
        Table {
            names,
            tokens,
            forms,
            replies: 0,
            errors: 0,
        }
    }

    /// Enters a reply.
    pub(crate) fn enter(&mut self, command: usize, used: &[String], is_full: bool, is_error: bool) {
        self.replies += 1;
        self.errors += u64::from(is_error);
        let count = |form: &mut Form| {
            form.asked += 1;
            form.full += u64::from(is_full);
        };
        count(&mut self.forms[command][0]);
        for (at, token) in self.tokens[command].iter().enumerate() {
            if used.contains(token) {
                count(&mut self.forms[command][at + 1]);
            }
        }
    }

    /// A form that is behind the others: of some drawn by chance the one with the fewest full replies.
    /// Attempts count a little, so that one that cannot be reached does not take all.
    pub(crate) fn behind(&self, random: &mut Random) -> Option<(usize, Option<String>)> {
        let mut best: Option<(u64, usize, usize)> = None;
        for _ in 0..8 {
            let command = random.below(self.names.len());
            let at = random.below(self.forms[command].len());
            let form = &self.forms[command][at];
            let price = form.full + form.asked / 20;
            if price < 2 * WANTED && best.is_none_or(|(least, ..)| price < least) {
                best = Some((price, command, at));
            }
        }
        let (_, command, at) = best?;
        let token = at.checked_sub(1).map(|at| self.tokens[command][at].clone());
        Some((command, token))
    }

    pub(crate) fn print(&self) {
        println!("full replies (asked) by command and option:");
        for (command, name) in self.names.iter().enumerate() {
            let forms = &self.forms[command];
            let mut line = format!("  {name:<22} {} ({})", forms[0].full, forms[0].asked);
            for (token, form) in self.tokens[command].iter().zip(&forms[1..]) {
                line += &format!("  {token} {} ({})", form.full, form.asked);
            }
            println!("{line}");
        }
    }

    /// What the run is too thin in; `None` if nothing.
    pub(crate) fn shortfall(&self, rules: &Rules) -> Option<String> {
        let mut thin = Vec::new();
        for (command, name) in self.names.iter().enumerate() {
            let tokens =
                std::iter::once("-").chain(self.tokens[command].iter().map(String::as_str));
            for (token, form) in tokens.zip(&self.forms[command]) {
                if form.full < WANTED && rules.excuse(name, token).is_none() {
                    thin.push(format!("{name} {token} {} of {}", form.full, form.asked));
                }
            }
        }
        println!(
            "{} replies, {:.1} % errors",
            self.replies,
            self.errors as f64 * 100.0 / self.replies.max(1) as f64
        );
        if self.errors * 2 > self.replies {
            thin.push("more than half of the replies are errors".into());
        }
        (!thin.is_empty()).then(|| {
            format!(
                "forms with fewer than {WANTED} full replies:\n  {}",
                thin.join("\n  ")
            )
        })
    }
}
