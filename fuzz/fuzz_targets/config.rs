//! Configuration files: any text is read or refused with a reason, and what was read survives CONFIG
//! REWRITE: the rewritten text is read again to the same values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use server::config::Config;

fuzz_target!(|text: &[u8]| {
    // `include` would read files of this machine.
    let mut lines = text.split(|byte| *byte == b'\n');
    if lines.any(|line| line.to_ascii_lowercase().windows(7).any(|word| word == b"include")) {
        return;
    }
    match Config::from_text(text, &|name| name.len() < 5) {
        Ok(config) => {
            let new = config.rewritten(text);
            let again = Config::from_text(&new, &|name| name.len() < 5).unwrap_or_else(|fatal| {
                panic!("{fatal}\n{}", String::from_utf8_lossy(&new));
            });
            assert_eq!(config.get(&[b"*"]), again.get(&[b"*"]));
        }
        Err(fatal) => assert!(!fatal.reason.is_empty()),
    }
});
