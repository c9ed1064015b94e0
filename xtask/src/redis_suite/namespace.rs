//! A network of its own for each unit: loopback, and an interface that leads nowhere.
//!
//! Some tests connect to an address of the machine that is not loopback, to see how a stranger is
//! received. Ours never leave loopback, so where the system lets us each unit runs in a network
//! namespace that has nothing but `lo` and an interface with nobody at its other end, whose address is
//! [`ADDRESS`]. The suite finds it with `hostname -I`, which leaves out `lo`; what is sent to it the
//! kernel delivers by `lo`, as with any address of one's own. Root may always do this; others where the
//! system grants user namespaces. Elsewhere the tests of [`STRANGERS`] are not run, and in CI that is an
//! error.

use crate::{Res, sh};
use std::process::Command;

/// Tests that need it.
pub(crate) const STRANGERS: &[&str] = &[
    "Protected mode works as expected",
    "cannot modify protected configuration - local",
];

/// For documentation (RFC 5737), so nobody's.
const ADDRESS: &str = "192.0.2.1/32";

/// How to begin a command in a namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Namespace {
    unshare: &'static [&'static str],
}

impl Namespace {
    /// What the system grants; `None` when nothing, which is said.
    pub(crate) fn find() -> Res<Option<Namespace>> {
        for unshare in [&["--net"][..], &["--net", "--map-root-user"]] {
            let namespace = Namespace { unshare };
            // The suite asks the same program, and takes no address for leave to pass.
            let shown = namespace.command("hostname").arg("-I").output();
            let address = ADDRESS.trim_end_matches("/32").as_bytes();
            if shown.is_ok_and(|shown| shown.stdout.starts_with(address)) {
                return Ok(Some(namespace));
            }
        }
        let text = format!(
            "no network namespace can be had here (unshare, ip, hostname), so these tests are not run: {}",
            STRANGERS.join("; ")
        );
        if std::env::var_os("CI").is_some() {
            return Err(text);
        }
        println!("{text}");
        Ok(None)
    }

    /// `program`, its arguments to be added, in a new namespace.
    pub(crate) fn command(self, program: &str) -> Command {
        // Which kinds of interface there are is the kernel's matter; any of them will do.
        let prepare = format!(
            "ip link set lo up
             for kind in dummy bridge 'veth peer name nobody'; do
                 ip link add stranger type $kind && break
             done 2>/dev/null
             ip link set stranger up && ip address add {ADDRESS} dev stranger && exec \"$0\" \"$@\""
        );
        let mut command = sh::cmd("unshare", self.unshare);
        command.args(["sh", "-c", &prepare, program]);
        command
    }
}
