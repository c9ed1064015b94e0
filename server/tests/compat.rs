//! `docs/compat.md` lists exactly the parameters that the table says have no effect. What it says of
//! differences, from `BY_HAND` on, is written by hand and left alone.
//!
//! After a change of the table run with `REDSTART_BLESS=1` to write the page anew.

use server::config::Waits;
use server::config::table::{DIRECTIVES, RETIRED, ROWS};
use std::fmt::Write as _;
use std::path::Path;

/// Where the part begins that no table knows.
const BY_HAND: &str = "\n# Where we differ on purpose\n";

/// The page's heading of what waits for one thing.
fn heading(waits: Waits) -> Option<&'static str> {
    Some(match waits {
        Waits::Nothing => return None,
        Waits::Types => "Waits for the data types, eviction, events and tracking (issue 3)",
        Waits::Persistence => "Waits for saving and the append-only file (issue 4)",
        Waits::Replication => "Waits for replication",
        Waits::Cluster => "Waits for the cluster",
        Waits::Tls => "Waits for TLS",
        Waits::Scripts => "Waits for scripts",
        Waits::Acl => "Waits for ACL rules and users",
        Waits::Modules => "Waits for modules",
        Waits::Transport => "Waits for RDMA and MPTCP",
        Waits::Needless(_) => "Has nothing to steer here",
    })
}

fn page() -> String {
    let mut page = String::from(
        "# Parameters that are accepted without effect\n\n\
         Every parameter of Redis 7.2 to 8.0 and Valkey 8 to 9.1 is read, checked, shown by CONFIG GET, kept by\n\
         CONFIG REWRITE, and has its effect, apart from these. `server/tests/compat.rs` compares this page with\n\
         `server/src/config/table.rs`; `REDSTART_BLESS=1 cargo test -p server --test compat` writes it.\n",
    );
    let mut rows: Vec<(&str, Waits)> = ROWS.iter().map(|row| (row.name, row.waits)).collect();
    rows.extend(DIRECTIVES);
    let mut headings: Vec<&str> = Vec::new();
    for (_, waits) in &rows {
        headings.extend(heading(*waits).filter(|h| !headings.contains(h)));
    }
    headings.sort_unstable();
    // Writing to a String cannot fail.
    for title in headings {
        let _ = writeln!(page, "\n## {title}\n");
        let mut names: Vec<_> = rows
            .iter()
            .filter(|(_, waits)| heading(*waits) == Some(title))
            .collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, waits) in names {
            let _ = match waits {
                Waits::Needless(why) => writeln!(page, "- `{name}`: {why}"),
                _ => writeln!(page, "- `{name}`"),
            };
        }
    }
    let _ = writeln!(page, "\n## Retired: ignored, with a line in the log\n");
    for (name, why) in RETIRED {
        let _ = writeln!(page, "- `{name}`: {why}");
    }
    page
}

#[test]
fn the_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compat.md");
    let found = std::fs::read_to_string(&path).expect("the page is there");
    let at = found.find(BY_HAND).expect("the page has both parts");
    if std::env::var_os("REDSTART_BLESS").is_some() {
        std::fs::write(&path, page() + &found[at..]).expect("the page can be written");
        return;
    }
    assert_eq!(found[..at], page(), "run with REDSTART_BLESS=1");
}
