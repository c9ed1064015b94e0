//! What the Tcl suite prints, as results.
//!
//!   [ok]: NAME (12 ms)
//!   [err]: NAME in tests/unit/x.tcl      then lines of detail
//!   [skip]: NAME                         named by --skiptest
//!   [ignore]: NAME: reason               by tag
//!   [exception]: …                       the unit ends here
//!   [TIMEOUT]: …                         no progress, the unit ends here

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// The suite's own words on a failure.
    pub(crate) detail: String,
}

/// What a unit's run said; `broken` is set when it did not come to its end.
#[derive(Debug, Default)]
pub(crate) struct UnitResult {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) broken: Option<String>,
}

/// Reads a unit's whole output.
pub(crate) fn parse(text: &str) -> UnitResult {
    let mut result = UnitResult::default();
    let mut in_detail = false;
    let mut ended = false;
    for line in text.lines() {
        let Some((kind, rest)) = line.strip_prefix('[').and_then(|l| l.split_once("]: ")) else {
            ended |= line.trim() == "The End";
            if in_detail && !ended {
                push_detail(&mut result, line);
            }
            continue;
        };
        in_detail = false;
        let mut push = |name: &str, verdict| {
            result.outcomes.push(Outcome {
                name: name.to_string(),
                verdict,
                detail: String::new(),
            });
        };
        match kind {
            "ok" => push(
                rest.rsplit_once(" (").map_or(rest, |(name, _)| name),
                Verdict::Passed,
            ),
            "skip" => push(rest, Verdict::Skipped),
            "err" => {
                // A failure outside any test has no name; its first line stands for it.
                push(
                    rest.rsplit_once(" in tests/")
                        .map_or(rest, |(name, _)| name),
                    Verdict::Failed,
                );
                in_detail = true;
            }
            "exception" | "TIMEOUT" => {
                result.broken = Some(format!("[{kind}] {rest}"));
                in_detail = true;
            }
            _ => {}
        }
    }
    if !ended && result.broken.is_none() {
        let tail: Vec<&str> = text.lines().rev().take(15).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        result.broken = Some(format!(
            "the suite did not come to its end:\n{}",
            tail.join("\n")
        ));
    }
    result
}

fn push_detail(result: &mut UnitResult, line: &str) {
    let text = match (&mut result.broken, result.outcomes.last_mut()) {
        (Some(text), _) => text,
        (None, Some(outcome)) => &mut outcome.detail,
        (None, None) => return,
    };
    if text.len() < 1500 {
        text.push_str("\n    ");
        text.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[ready]: 1234
Testing unit/x
[ok]: A (b) c (3 ms)
[err]: SET in a loop in tests/unit/x.tcl
Expected 1 to be 2
[skip]: other
[ignore]: big: large memory flag not provided
[1/1 done]: unit/x (0 seconds)

                   The End
*** [err]: SET in a loop in tests/unit/x.tcl
";

    #[test]
    fn a_whole_run() {
        let result = parse(TEXT.split("***").next().expect("there is a first part"));
        let names: Vec<(&str, Verdict)> = result
            .outcomes
            .iter()
            .map(|o| (o.name.as_str(), o.verdict))
            .collect();
        assert_eq!(
            names,
            [
                ("A (b) c", Verdict::Passed),
                ("SET in a loop", Verdict::Failed),
                ("other", Verdict::Skipped)
            ]
        );
        assert!(result.outcomes[1].detail.contains("Expected 1"));
        assert!(result.broken.is_none());
    }

    #[test]
    fn an_exception_or_a_missing_end_is_noticed() {
        assert!(parse("[ok]: A (1 ms)\n").broken.is_some());
        let broken = parse("[exception]: Executing test client: boom\nwhile x\n").broken;
        assert!(broken.is_some_and(|text| text.contains("while x")));
    }
}
