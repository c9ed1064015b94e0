//! `-u redis://[[user:]password@][host[:port]][/database]`, with percent signs in user and password.
//!
//! Checked by: tests below.

use crate::options::{End, Options, leading, no_tls, port};

/// Reads a URI into the options.
pub(crate) fn read(uri: &[u8], options: &mut Options) -> Result<(), End> {
    let Some(rest) = without_scheme(uri, b"redis://") else {
        return Err(match without_scheme(uri, b"rediss://") {
            Some(_) => no_tls(),
            None => End::wrong("Invalid URI scheme\n"),
        });
    };
    let rest = match split(rest, b'@') {
        Some((login, rest)) => {
            match split(login, b':') {
                Some((user, password)) => {
                    options.user = Some(decode(user)?);
                    options.password = Some(decode(password)?);
                }
                None => options.password = Some(decode(login)?),
            }
            rest
        }
        None => rest,
    };
    let (address, database) = split(rest, b'/').unwrap_or((rest, b""));
    if !address.is_empty() {
        let (host, number) = split_address(address);
        options.host = String::from_utf8_lossy(host).into_owned();
        if let Some(number) = number {
            options.port = port(number)?;
        }
    }
    if !database.is_empty() {
        options.database = leading(database) as i32;
    }
    Ok(())
}

fn without_scheme<'u>(uri: &'u [u8], scheme: &[u8]) -> Option<&'u [u8]> {
    let (start, rest) = uri.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == mark)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Host and port; an address of IPv6 stands in brackets.
fn split_address(address: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some((host, rest)) = address
        .strip_prefix(b"[")
        .and_then(|inside| split(inside, b']'))
    {
        return (host, rest.strip_prefix(b":"));
    }
    match split(address, b':') {
        Some((host, number)) => (host, Some(number)),
        None => (address, None),
    }
}

fn decode(text: &[u8]) -> Result<Vec<u8>, End> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let [high, low, tail @ ..] = tail else {
            return Err(End::wrong("Incomplete URI encoding\n"));
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
            _ => return Err(End::wrong("Illegal character in URI encoding\n")),
        }
        rest = tail;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use crate::options::parse;

    fn check(uri: &str, expected: (&str, u16, Option<&str>, Option<&str>, i32)) {
        let options = parse(&[b"-u".to_vec(), uri.into()], true).expect(uri);
        let text = |bytes: &Option<Vec<u8>>| {
            bytes
                .as_ref()
                .map(|b| String::from_utf8(b.clone()).expect("UTF-8"))
        };
        let (host, port, user, password, database) = expected;
        assert_eq!(options.host, host, "{uri}");
        assert_eq!(options.port, port, "{uri}");
        assert_eq!(text(&options.user).as_deref(), user, "{uri}");
        assert_eq!(text(&options.password).as_deref(), password, "{uri}");
        assert_eq!(options.database, database, "{uri}");
    }

    #[test]
    fn all_parts_may_be_missing() {
        check("redis://", ("127.0.0.1", 6379, None, None, 0));
        check("redis://h", ("h", 6379, None, None, 0));
        check("REDIS://h:1", ("h", 1, None, None, 0));
        check("redis:///4", ("127.0.0.1", 6379, None, None, 4));
        check("redis://p@h/2", ("h", 6379, None, Some("p"), 2));
        check("redis://u:p%3a@h:7/2", ("h", 7, Some("u"), Some("p:"), 2));
        check("redis://[::1]:7", ("::1", 7, None, None, 0));
    }

    #[test]
    fn what_is_none() {
        for (uri, text) in [
            ("http://h", "Invalid URI scheme"),
            ("rediss://h", "no TLS"),
            ("redis://p%4@h", "Incomplete URI encoding"),
            ("redis://p%zz@h", "Illegal character"),
        ] {
            let end = parse(&[b"-u".to_vec(), uri.into()], true).expect_err(uri);
            assert!(end.text.contains(text), "{uri}: {end:?}");
        }
    }
}
