//! Lists against a `VecDeque`: random edits under every kind of limit, snapshots in between that must
//! stay as they were, and the forms at their bounds.

use std::collections::VecDeque;

use collections::listpack::Element;
use store::{Container, Encoding, List, ListEnd, ListLimits, ListPart};

/// A generator of its own, so that a failure names one number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn value(&mut self) -> Vec<u8> {
        match self.roll(20) {
            0 => vec![b'l'; 3_000 + usize::try_from(self.roll(9_000)).expect("small")],
            1 => Vec::new(),
            2..=8 => self.roll(30).to_string().into_bytes(),
            9 => i64::MIN.to_string().into_bytes(),
            _ => format!("word {}", self.roll(20)).into_bytes(),
        }
    }

    fn end(&mut self) -> ListEnd {
        if self.roll(2) == 0 {
            ListEnd::Left
        } else {
            ListEnd::Right
        }
    }
}

fn all(list: &List) -> Vec<Vec<u8>> {
    list.iter().map(Element::to_vec).collect()
}

fn push(list: &mut List, end: ListEnd, value: &[u8], limits: ListLimits) {
    list.expect_more(1, value.len(), limits)
        .expect("there is memory");
    list.push(end, value, limits).expect("there is memory");
}

/// One random edit on both.
fn step(dice: &mut Dice, list: &mut List, model: &mut VecDeque<Vec<u8>>, limits: ListLimits) {
    let len = model.len() as u64;
    let end = dice.end();
    match dice.roll(100) {
        0..45 => {
            let value = dice.value();
            push(list, end, &value, limits);
            match end {
                ListEnd::Left => model.push_front(value),
                ListEnd::Right => model.push_back(value),
            }
        }
        45..65 => {
            let popped = list
                .pop(end, limits, |element| element.to_vec())
                .expect("there is memory");
            let expected = match end {
                ListEnd::Left => model.pop_front(),
                ListEnd::Right => model.pop_back(),
            };
            assert_eq!(popped, expected);
        }
        65..75 => {
            let (index, value) = (dice.roll(len + 2), dice.value());
            list.expect_more(1, value.len(), limits)
                .expect("there is memory");
            let was_there = list.set(index, &value, limits).expect("there is memory");
            assert_eq!(was_there, index < len);
            if let Some(place) = model.get_mut(index as usize) {
                *place = value;
            }
        }
        75..90 => {
            let (index, value) = (dice.roll(len + 1), dice.value());
            list.expect_more(1, value.len(), limits)
                .expect("there is memory");
            list.insert(index, &value, limits).expect("there is memory");
            model.insert(index as usize, value);
        }
        90..95 => {
            let (value, count) = (dice.value(), dice.roll(4) + 1);
            let removed = list
                .remove(&value, count, end, limits)
                .expect("there is memory");
            let mut gone = 0;
            while gone < count {
                let at = match end {
                    ListEnd::Left => model.iter().position(|v| *v == value),
                    ListEnd::Right => model.iter().rposition(|v| *v == value),
                };
                let Some(at) = at else { break };
                model.remove(at);
                gone += 1;
            }
            assert_eq!(removed, gone);
        }
        95..98 => {
            let from = dice.roll(len / 8 + 1);
            let to = len - dice.roll(len / 8 + 1).min(len - from);
            let gone = list.trim(from..to, limits).expect("there is memory");
            assert!(gone.iter().map(Container::len).sum::<u64>() <= len - (to - from));
            *model = model.drain(from as usize..to as usize).collect();
        }
        _ => {
            let from = dice.roll(len + 1);
            let to = from + dice.roll(len - from + 1).min(40);
            let taken = list.take(from..to, limits).expect("there is memory");
            let expected: Vec<_> = model.drain(from as usize..to as usize).collect();
            assert_eq!(all(&taken), expected);
        }
    }
}

fn check(size: i32, plain_bytes: usize, seed: u64) {
    let limits = ListLimits::of(size, plain_bytes);
    let mut dice = Dice(seed);
    let (mut list, mut model) = (List::new(), VecDeque::new());
    let mut kept: Vec<(List, Vec<Vec<u8>>)> = Vec::new();
    for round in 0..3_000 {
        step(&mut dice, &mut list, &mut model, limits);
        assert_eq!(
            list.len(),
            model.len() as u64,
            "size {size} seed {seed} round {round}"
        );
        match dice.roll(60) {
            0 => kept.push((
                list.fork().expect("there is memory"),
                model.iter().cloned().collect(),
            )),
            1 => {
                let expected: Vec<_> = model.iter().cloned().collect();
                assert_eq!(
                    all(&list),
                    expected,
                    "size {size} seed {seed} round {round}"
                );
                let index = dice.roll(list.len() + 1);
                let back: Vec<_> = list
                    .walk(index, ListEnd::Right)
                    .map(Element::to_vec)
                    .collect();
                let reach = expected.len().min(index as usize + 1);
                if index < list.len() {
                    assert!(back.iter().eq(expected[..reach].iter().rev()));
                    let there = list.get(index).map(Element::to_vec);
                    assert_eq!(there.as_ref(), expected.get(index as usize));
                }
                let on: Vec<_> = list
                    .walk(index, ListEnd::Left)
                    .map(Element::to_vec)
                    .collect();
                assert_eq!(on, expected[index as usize..]);
                for part in list.parts() {
                    if let ListPart::Pack(pack) = part {
                        assert!(list.part_count() == 1 || !pack.is_empty());
                    }
                }
            }
            2 if kept.len() > 3 => {
                let (list, expected) = kept.swap_remove(0);
                assert_eq!(all(&list), expected, "a snapshot has changed");
            }
            _ => {}
        }
    }
    for (list, expected) in kept {
        assert_eq!(all(&list), expected, "a snapshot has changed");
    }
}

#[test]
fn random_edits_equal_a_deque() {
    for size in [-5, -2, -1, 0, 1, 4, 128] {
        for seed in 1..4 {
            check(size, 0, seed);
        }
        check(size, 12, 9);
    }
}

#[test]
fn forms_change_where_redis_changes_them() {
    let limits = ListLimits::of(4, 0);
    let mut list = List::new();
    for _ in 0..4 {
        push(&mut list, ListEnd::Right, b"x", limits);
    }
    assert_eq!(list.encoding(), Encoding::Listpack);
    push(&mut list, ListEnd::Right, b"x", limits);
    assert_eq!(
        (list.encoding(), list.part_count()),
        (Encoding::Quicklist, 2)
    );
    // One part, and at most half of the limit.
    for (left, encoding) in [
        (4, Encoding::Quicklist),
        (3, Encoding::Quicklist),
        (2, Encoding::Listpack),
    ] {
        list.pop(ListEnd::Right, limits, |_| ())
            .expect("there is memory");
        assert_eq!((list.len(), list.encoding()), (left, encoding));
    }
    let limits = ListLimits::of(-1, 0);
    let mut list = List::new();
    push(&mut list, ListEnd::Left, &[b'x'; 4_090], limits);
    assert_eq!(
        list.encoding(),
        Encoding::Quicklist,
        "7 bytes are the listpack's own"
    );
    let mut list = List::new();
    push(&mut list, ListEnd::Left, &[b'x'; 4_089], limits);
    assert_eq!(list.encoding(), Encoding::Listpack);
}

/// What a list says of its memory: the elements, and little beside.
#[test]
fn a_million_elements_cost_little_beside_their_bytes() {
    let limits = ListLimits::of(-2, 0);
    let mut list = List::new();
    for _ in 0..100_000 {
        push(&mut list, ListEnd::Left, &[b'v'; 32], limits);
    }
    let each = list.memory_bytes() as f64 / 100_000.0;
    assert!(each < 34.8, "{each} bytes an element");
}
