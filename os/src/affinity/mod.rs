//! Which processors a thread may run on: `server-cpulist` and its siblings.
//!
//! A list is numbers and ranges with an optional step, separated by commas: `0,2,4-7,8-15:2`. A thread
//! inherits the list of the one that starts it, so the main thread's is everybody's.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// Numbers that a list may contain.
const PROCESSORS_MAX: usize = 1024;

/// The processors of a list; `None` when it is malformed or empty.
#[must_use]
pub fn parse(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.split(',').map(str::trim) {
        let (range, step) = part
            .split_once(':')
            .map_or(Some((part, 1)), |(r, s)| Some((r, s.parse().ok()?)))?;
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => {
                let one: usize = range.parse().ok()?;
                (one, one)
            }
        };
        if first > last || last >= PROCESSORS_MAX || step == 0 {
            return None;
        }
        processors.extend((first..=last).step_by(step));
    }
    (!processors.is_empty()).then_some(processors)
}

/// Binds the calling thread, and those that it will start, to the processors of a list.
///
/// # Errors
/// What is wrong with the list, or the system's words.
pub fn bind_thread(list: &str) -> Result<(), String> {
    let processors = parse(list).ok_or_else(|| format!("'{list}' is not a list of processors"))?;
    system::bind_thread(&processors).map_err(|e| crate::files::error_text(&e))
}

/// How many processors the calling thread may run on.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |list: &str, expected: Option<&[usize]>| {
            assert_eq!(parse(list).as_deref(), expected, "{list}")
        };
        check("0", Some(&[0]));
        check("0, 2,4-6", Some(&[0, 2, 4, 5, 6]));
        check("0-7:3", Some(&[0, 3, 6]));
        for bad in ["", "x", "1-", "3-1", "0-3:0", "99999", "1,,2"] {
            check(bad, None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn binds_a_thread_and_its_children() {
        std::thread::spawn(|| {
            bind_thread("0").expect("processor 0 exists");
            let children = std::thread::spawn(processors)
                .join()
                .expect("it only counts");
            assert_eq!((processors(), children), (1, 1));
        })
        .join()
        .expect("the assertions hold");
    }
}
