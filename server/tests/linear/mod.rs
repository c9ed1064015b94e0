//! Histories: what clients do, and whether there is an order that explains what they were told.
#![allow(unreachable_pub, reason = "a module of a test binary")]

pub mod model;
pub mod search;

use model::{KEYS, MEMBERS, Op};

/// A step of xorshift.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// The operations of one client. Every value is written once in a history, so that a reader tells
/// whose it has seen.
pub fn operations(client: usize, count: usize, dice: &mut Dice) -> Vec<Op> {
    let mut ops = Vec::with_capacity(count);
    let mut value = client as u64 * 1_000_000;
    while ops.len() < count {
        value += 100;
        match dice.roll(100) {
            0..20 => ops.push(Op::Exec(
                (0..1 + dice.roll(4))
                    .map(|n| single(value + n as u64, dice))
                    .collect(),
            )),
            20..27 => {
                // What it decides by, the change, and something between them now and then.
                ops.push(Op::Watch(dice.roll(KEYS.len())));
                if dice.roll(2) == 0 {
                    ops.push(single(value + 50, dice));
                }
                ops.push(Op::Exec(vec![single(value, dice), Op::Mget]));
            }
            _ => ops.push(single(value, dice)),
        }
    }
    ops
}

fn single(value: u64, dice: &mut Dice) -> Op {
    let k = dice.roll(2);
    let member = dice.roll(MEMBERS as usize) as u64;
    match dice.roll(200) {
        0..20 => Op::Get(k),
        20..30 => Op::Set(k, value),
        30..40 => Op::GetSet(k, value),
        40..45 => Op::SetNx(k, value),
        45..55 => Op::Mset([value, value + 7]),
        55..75 => Op::Mget,
        75..95 => Op::Incr(k, dice.roll(9) as i64 - 4),
        95..108 => Op::Push(k, dice.roll(2) == 0, value),
        108..126 => Op::Pop(k, dice.roll(2) == 0),
        126..132 => Op::Range(k),
        132..142 => Op::Move(k),
        142..156 => Op::Add(k, member),
        156..168 => Op::Remove(k, member),
        168..176 => Op::Has(k),
        176..186 => Op::Carry(k, member),
        186..194 => Op::Del(dice.roll(KEYS.len())),
        194 => Op::Flush,
        _ => Op::Size,
    }
}

/// The bytes of a request: MULTI and EXEC around a transaction.
pub fn bytes(op: &Op) -> Vec<u8> {
    let Op::Exec(queued) = op else {
        return crate::common::request(&op.words());
    };
    let mut bytes = crate::common::request(&["MULTI"]);
    queued
        .iter()
        .for_each(|op| bytes.extend(crate::common::request(&op.words())));
    bytes.extend(crate::common::request(&["EXEC"]));
    bytes
}

/// How many replies come before the one that counts.
pub fn replies_before(op: &Op) -> usize {
    match op {
        Op::Exec(queued) => 1 + queued.len(),
        _ => 0,
    }
}
