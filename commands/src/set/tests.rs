//! Sets against `BTreeSet`: the results of few and of many sources, short and long, and what chance
//! takes and shows.

use std::collections::BTreeSet;

use crate::testing::Bench;

type Model = BTreeSet<u32>;

/// The members of a reply, in order.
fn members(said: &str) -> Vec<u32> {
    let words: Vec<&str> = said.split(' ').collect();
    assert!(words[0].starts_with('*'), "{said}");
    let shown: Vec<u32> = words[1..]
        .chunks(2)
        .map(|pair| pair[1].parse().expect("a number"))
        .collect();
    assert_eq!(words[0][1..], shown.len().to_string());
    shown
}

fn line(command: &str, words: impl IntoIterator<Item = u32>) -> String {
    words
        .into_iter()
        .fold(command.to_owned(), |line, word| format!("{line} {word}"))
}

/// Fills keys `0`, `1`, …; each set has every `step`-th number below `size`, from `first` on.
fn fill(bench: &mut Bench, shapes: &[(u32, u32, usize)]) -> Vec<Model> {
    let models: Vec<Model> = shapes
        .iter()
        .map(|&(first, size, step)| (first..size).step_by(step).collect())
        .collect();
    for (key, model) in models.iter().enumerate() {
        if !model.is_empty() {
            bench.run(&line(&format!("SADD {key}"), model.iter().copied()));
        }
    }
    models
}

fn check(shapes: &[(u32, u32, usize)]) {
    let mut bench = Bench::new();
    let models = fill(&mut bench, shapes);
    let (first, others) = models.split_first().expect("one at least");
    let union: Model = models.iter().flatten().copied().collect();
    let within = |n: &u32| others.iter().all(|set| set.contains(n));
    let inter: Model = first.iter().copied().filter(within).collect();
    let outside = |n: &u32| !others.iter().any(|set| set.contains(n));
    let diff: Model = first.iter().copied().filter(outside).collect();
    let keys = line("", 0..models.len() as u32);
    for (name, expected) in [("UNION", union), ("INTER", inter), ("DIFF", diff)] {
        let shown = members(&bench.run(&format!("S{name}{keys}")).0);
        assert_eq!(
            shown.len(),
            expected.len(),
            "no member twice: {name} {shapes:?}"
        );
        assert_eq!(
            shown.into_iter().collect::<Model>(),
            expected,
            "{name} {shapes:?}"
        );
        let len = format!(":{}", expected.len());
        bench.check(&format!("S{name}CARD {}{keys}", models.len()), &len);
        let two = format!(":{}", expected.len().min(2));
        bench.check(&format!("S{name}CARD {}{keys} LIMIT 2", models.len()), &two);
        bench.check(&format!("S{name}STORE d{keys}"), &len);
        let stored = members(&bench.run("SMEMBERS d").0);
        assert_eq!(
            stored.into_iter().collect::<Model>(),
            expected,
            "{name} {shapes:?}"
        );
    }
}

#[test]
fn results_are_those_of_the_model() {
    check(&[(0, 10, 1), (5, 20, 2), (0, 9, 3)]);
    check(&[(0, 10, 1), (3, 3, 1), (0, 9, 3)]);
    check(&[(7, 7, 1), (0, 10, 1)]);
    // Long: after unlocking.
    check(&[(0, 3000, 1), (500, 4000, 3), (1, 2500, 2)]);
    // Many sources, each small: what they have is gathered.
    let mut many = vec![(0, 2000, 1)];
    many.extend((0..40).map(|n| (n * 50, n * 50 + 30, 2)));
    check(&many);
    check(&[
        (0, 3000, 1),
        (0, 3000, 1),
        (0, 3000, 1),
        (0, 3000, 1),
        (0, 3000, 1),
        (0, 3000, 1),
    ]);
}

#[test]
fn chance_shows_and_takes_each_member_once() {
    for size in [1, 2, 3, 10, 100, 600, 3000] {
        let mut bench = Bench::new();
        let all = fill(&mut bench, &[(0, size, 1)]).remove(0);
        for count in [
            1,
            size / 3,
            size / 3 + 1,
            size / 2,
            size - 1,
            size,
            size + 1,
        ] {
            let shown = members(&bench.run(&format!("SRANDMEMBER 0 {count}")).0);
            assert_eq!(shown.len(), count.min(size) as usize);
            let different: Model = shown.iter().copied().collect();
            assert_eq!(different.len(), shown.len(), "{count} of {size}");
            assert!(different.is_subset(&all));
            if count == 0 {
                continue;
            }
            let repeated = members(&bench.run(&format!("SRANDMEMBER 0 -{count}")).0);
            assert_eq!(repeated.len(), count as usize);
        }
        let mut left = all;
        while !left.is_empty() {
            let (said, effects) = bench.run(&format!("SPOP 0 {}", size / 3 + 1));
            let popped = members(&said);
            assert!(popped.iter().all(|member| left.remove(member)), "{said}");
            assert_eq!(effects.dirty, popped.len() as u64);
            assert_eq!(effects.events[0], "spop 0");
            assert_eq!(effects.events.len() == 2, left.is_empty());
            let mut logged = effects.log;
            if left.is_empty() {
                assert_eq!(logged, ["DEL 0"]);
                continue;
            }
            logged.retain(|line| line != "MULTI" && line != "EXEC");
            let named: usize = logged.iter().map(|line| line.split(' ').count() - 2).sum();
            assert!(logged.iter().all(|line| line.starts_with("SREM 0 ")));
            assert_eq!(named, popped.len());
        }
    }
}

#[test]
fn effects() {
    let mut bench = Bench::new();
    bench.effects("SADD a 1 2 1", ":2", 2, "sadd a", "SADD a 1 2 1");
    bench.effects("SADD a 1", ":0", 0, "", "");
    bench.effects("SMOVE a b 1", ":1", 2, "srem a, sadd b", "SMOVE a b 1");
    bench.effects(
        "SMOVE a b 2",
        ":1",
        2,
        "srem a, del a, sadd b",
        "SMOVE a b 2",
    );
    bench.effects("SMOVE b b 2", ":1", 0, "", "");
    bench.effects("SREM b 1 9", ":1", 1, "srem b", "SREM b 1 9");
    bench.effects("SPOP b", "$1 2", 1, "spop b, del b", "SREM b 2");
    bench.check("SET s x", "+OK");
    bench.check("SADD a 1 2", ":2");
    bench.effects(
        "SUNIONSTORE s a",
        ":2",
        1,
        "sunionstore s",
        "SUNIONSTORE s a",
    );
    bench.effects(
        "SINTERSTORE s a none",
        ":0",
        1,
        "del s",
        "SINTERSTORE s a none",
    );
    bench.effects("SDIFFSTORE s none a", ":0", 0, "", "");
    bench.effects("SDIFFSTORE a a", ":2", 1, "sdiffstore a", "SDIFFSTORE a a");
    bench.effects("SREM a 1 2", ":2", 2, "srem a, del a", "SREM a 1 2");
}
