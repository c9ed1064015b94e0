//! Guides: what steers a descent through inner nodes.
//!
//! A guide looks at a node's children, of which there is at least one, and names the one to enter.

use super::{Child, Record};

/// To the first leaf.
pub fn first<R: Record>(_: &[Child<R>]) -> usize {
    0
}

/// To the last leaf.
pub fn last<R: Record>(children: &[Child<R>]) -> usize {
    children.len() - 1
}

/// To the leaf in which the element of rank `rank` lies; `rank` becomes the rank within the leaf.
/// At or beyond the end that is the last leaf, and a rank at or beyond its weight.
pub fn at_rank<R: Record>(rank: &mut u64) -> impl FnMut(&[Child<R>]) -> usize {
    move |children| {
        let last = children.len() - 1;
        for (at, child) in children[..last].iter().enumerate() {
            if *rank < child.weight() {
                return at;
            }
            *rank -= child.weight();
        }
        last
    }
}

/// To the last leaf that is not above a key: the one in which the key is or would be. `above` says
/// whether a child, judged by its separator, is above it, and must not go back from yes to no.
#[inline]
pub fn not_above<R: Record>(above: impl Fn(&Child<R>) -> bool) -> impl FnMut(&[Child<R>]) -> usize {
    move |children| children[1..].partition_point(|child| !above(child))
}
