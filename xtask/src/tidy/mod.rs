//! `cargo xtask tidy`: the house's rules as far as a machine can check them.
//!
//! Each check reads text and gives sentences; an empty list is a pass. A remark
//! that a reviewer makes twice becomes a check here.

mod edges;
mod fences;
mod lengths;
mod rows;
mod source;

use crate::{Res, sh};

pub(crate) const USAGE: &str = "\
usage: cargo xtask tidy [--shrink]

Checks crate edges, the fences around systems, unsafe code and data files, lengths of files
and functions (exceptions: xtask/src/tidy/lengths.txt), leftovers, and that each command row
has a transcript with all its options.
  --shrink   lower or drop entries of lengths.txt that are no longer needed";

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let shrink = options.flag("--shrink");
    options.finish()?;
    let sources = source::all()?;
    if shrink {
        lengths::shrink(&sources)?;
    }
    let mut wrong = edges::check()?;
    wrong.extend(fences::check(&sources));
    wrong.extend(lengths::check(&sources)?);
    wrong.extend(rows::check(&sources)?);
    if wrong.is_empty() {
        println!("tidy: {} files, nothing to say", sources.len());
        return Ok(());
    }
    wrong.iter().for_each(|text| println!("{text}"));
    Err(format!("{} remarks", wrong.len()))
}
