//! `proc-title-template`: text with `{variables}`, as `ps` shows it.
//!
//! A brace that opens must name a variable and close; `{{` stands for one brace. Blanks at both ends
//! of the result go, because variables may be empty; an empty template is none.

/// The names that a template may use.
const VARIABLES: &[&str] = &[
    "title",
    "listen-addr",
    "server-mode",
    "port",
    "tls-port",
    "unixsocket",
    "config-file",
];

/// `template` with its variables replaced by `value_of`; `None` when it is malformed, names an
/// unknown variable, or is empty.
pub(crate) fn expand(template: &[u8], value_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut rest = std::str::from_utf8(template).ok()?;
    if rest.trim().is_empty() {
        return None;
    }
    let mut title = String::new();
    while let Some(open) = rest.find('{') {
        title.push_str(&rest[..open]);
        let inner = &rest[open + 1..];
        if let Some(literal) = inner.strip_prefix('{') {
            title.push('{');
            rest = literal;
            continue;
        }
        let close = inner.find('}')?;
        let name = inner[..close].to_ascii_lowercase();
        VARIABLES.contains(&&*name).then_some(())?;
        title.push_str(&value_of(&name)?);
        rest = &inner[close + 1..];
    }
    title.push_str(rest);
    Some(title.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: Option<&str>) {
        let got = expand(template.as_bytes(), |name| {
            Some(match name {
                "title" => "redis-server".into(),
                "port" => "6379".into(),
                _ => String::new(),
            })
        });
        assert_eq!(got.as_deref(), expected, "{template:?}");
    }

    #[test]
    fn templates() {
        check("{title} {listen-addr} {server-mode}", Some("redis-server"));
        check("TEST {title} {port}!", Some("TEST redis-server 6379!"));
        check("a {{b} {port}", Some("a {b} 6379"));
        check("{nothing}", None);
        check("{title", None);
        check("", None);
        check("  ", None);
    }
}
