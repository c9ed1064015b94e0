//! What the check says of sound and broken files, beside the lines of Redis 7.0.15's tool.

use rdb::check::Check;

const NOW_MS: i64 = 1_700_000_000_000;

/// All lines but the first, and the verdict.
fn said(file: &[u8], block: usize) -> (String, bool) {
    let mut out = Vec::new();
    let mut check = Check::begin(b"x.rdb", NOW_MS, 1, &mut out);
    let mut goes_on = true;
    for block in file.chunks(block) {
        goes_on = goes_on && check.feed(block, &mut out);
    }
    let is_sound = goes_on && check.finish(&mut out);
    let text = String::from_utf8(out).expect("the names are text");
    let lines = text.strip_prefix("[offset 0] Checking RDB file x.rdb\n");
    (lines.expect("it begins so").to_owned(), is_sound)
}

fn check(file: &[u8], lines: &[&str], is_sound: bool) {
    for block in [1, 10, 1 << 16] {
        let (text, verdict) = said(file, block);
        assert_eq!(text.lines().collect::<Vec<_>>(), lines, "{file:?}");
        assert_eq!(verdict, is_sound, "{file:?}");
    }
}

/// The lines of an error: before it, what it is, what was being done, how many keys were read.
fn broken(file: &[u8], before: &[&str], what: &str, doing: &[&str], keys: u32) {
    let mut lines = before.to_vec();
    lines.extend(["--- RDB ERROR DETECTED ---", what]);
    lines.extend(doing);
    let keys = format!("[info] {keys} keys read");
    lines.extend([&keys, "[info] 0 expires", "[info] 0 already expired"]);
    check(file, &lines, false);
}

#[test]
fn a_sound_file() {
    check(
        include_bytes!("data/redis-7.0.15.rdb"),
        &[
            "[offset 27] AUX FIELD redis-ver = '7.0.15'",
            "[offset 41] AUX FIELD redis-bits = '64'",
            "[offset 53] AUX FIELD ctime = '1795538952'",
            "[offset 68] AUX FIELD used-mem = '1376504'",
            "[offset 80] AUX FIELD aof-base = '0'",
            "[offset 82] Selecting DB ID 0",
            "[offset 1609] Selecting DB ID 3",
            "[offset 1644] Selecting DB ID 9",
            "[offset 1683] Checksum OK",
            "[offset 1683] \\o/ RDB looks OK! \\o/",
            "[info] 35 keys read",
            "[info] 5 expires",
            "[info] 0 already expired",
        ],
        true,
    );
    // Without a checksum; one key has expired, one is a module's.
    let module = b"\x07\x03key\x81\x12\x34\x56\x78\xab\xcd\xef\0\x02\x02\x05\x03abc\0";
    let file = [
        b"REDIS0009\xfe\0\xfc\x01\0\0\0\0\0\0\0\0\x01a\x01b",
        &module[..],
        b"\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    check(
        &file,
        &[
            "[offset 11] Selecting DB ID 0",
            "[offset 56] RDB file was saved with checksum disabled: no check performed.",
            "[offset 56] \\o/ RDB looks OK! \\o/",
            "[info] 2 keys read",
            "[info] 1 expires",
            "[info] 1 already expired",
        ],
        true,
    );
}

#[test]
fn broken_files() {
    let first = "[additional info] Reading type 0 (string)";
    let start = &["[additional info] While doing: start", first];
    let none = "[offset 0] Unexpected EOF reading RDB file";
    broken(b"", &[], none, start, 0);
    broken(b"REDIS", &[], none, start, 0);
    let magic = "[offset 9] Wrong signature trying to load DB from file";
    broken(b"HELLO0011xx", &[], magic, start, 0);
    let version = "[offset 9] Can't handle RDB format version 99";
    broken(b"REDIS0099\xff", &[], version, start, 0);
    broken(
        b"REDIS0010\xfe",
        &[],
        "[offset 10] Unexpected EOF reading RDB file",
        &["[additional info] While doing: read-len", first],
        0,
    );
    broken(
        b"REDIS0010\xfa\x03abc\x05xy",
        &[],
        "[offset 15] Unexpected EOF reading RDB file",
        &["[additional info] While doing: read-aux", first],
        0,
    );
    let db = &["[offset 11] Selecting DB ID 0"];
    broken(
        b"REDIS0010\xfe\0\xfc1234",
        db,
        "[offset 12] Unexpected EOF reading RDB file",
        &["[additional info] While doing: read-expire", first],
        0,
    );
    broken(
        b"REDIS0010\xfe\0\0\x01a\x01b\x01\x05abc",
        db,
        "[offset 18] Unexpected EOF reading RDB file",
        &[
            "[additional info] While doing: read-key",
            "[additional info] Reading type 1 (list-linked)",
        ],
        1,
    );
    broken(
        b"REDIS0010\xfe\0\0\x01a\x01b\x63\x05abc",
        db,
        "[offset 17] Invalid object type: 99",
        &["[additional info] While doing: read-type"],
        1,
    );
    let truncated = &include_bytes!("data/redis-7.0.15.rdb")[..1000];
    let (text, is_sound) = said(truncated, 100);
    assert!(!is_sound);
    assert!(
        text.ends_with(
            "\
--- RDB ERROR DETECTED ---
[offset 993] Unexpected EOF reading RDB file
[additional info] While doing: read-object-value
[additional info] Reading key 'zset:large'
[additional info] Reading type 5 (zset-v2)
[info] 18 keys read
[info] 3 expires
[info] 0 already expired
"
        ),
        "{text}"
    );
    let mut wrong = include_bytes!("data/redis-7.0.15.rdb").to_vec();
    *wrong.last_mut().expect("it is not empty") ^= 1;
    let (text, is_sound) = said(&wrong, 100);
    assert!(!is_sound);
    let crc =
        "[offset 1683] RDB CRC error\n[additional info] While doing: check-sum\n[info] 35 keys";
    assert!(text.contains(crc), "{text}");
}

/// What is wrong inside a value, in our words; what Redis's tool does not look at.
#[test]
fn broken_values_and_bytes_behind_the_end() {
    let db = &["[offset 11] Selecting DB ID 0"];
    broken(
        b"REDIS0010\xfe\0\x0d\x01a\x05hello\xff\0\0\0\0\0\0\0\0",
        db,
        "[offset 20] Invalid length, encoding or content of a value",
        &[
            "[additional info] While doing: read-object-value",
            "[additional info] Reading key 'a'",
            "[additional info] Reading type 13 (hash-ziplist)",
        ],
        1,
    );
    broken(
        b"REDIS0010\xfe\0\0\x01a\x01b\xff\0\0\0\0\0\0\0\0xyz",
        db,
        "[offset 25] Bytes follow the end of the RDB file",
        &["[additional info] While doing: check-sum"],
        1,
    );
}
