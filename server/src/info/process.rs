//! The sections Server and CPU.

use super::{Page, View};
use crate::version;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

pub(super) fn server(page: &mut Page, view: &View<'_>) {
    let server = view.server;
    let live = server.live();
    let wall_us = os::clock::wall_us();
    let uptime = (wall_us / 1_000 - server.started_unix_ms).max(0) / 1_000;
    page.field("redis_version", crate::REDIS_VERSION);
    page.field("server_name", "redstart");
    page.field("redstart_version", crate::VERSION);
    page.field("redis_git_sha1", version::COMMIT);
    page.field("redis_git_dirty", 0);
    page.field("redis_build_id", version::build_id());
    page.field("redis_mode", "standalone");
    page.field("server_mode", "standalone");
    page.field("os", os::host::name());
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", os::clock::calibrate());
    page.field("multiplexing_api", io::NAME);
    page.field("process_id", std::process::id());
    page.field("process_supervised", server.config.string("supervised"));
    page.field("run_id", &server.start.run_id);
    page.field("tcp_port", server.config.number("port"));
    page.field("server_time_usec", wall_us);
    page.field("uptime_in_seconds", uptime);
    page.field("uptime_in_days", uptime / SECONDS_A_DAY);
    page.field("hz", live.hz_for(view.clients.len()));
    page.field("configured_hz", live.hz);
    // 24 bits of seconds, as the entries' access clocks have them.
    page.field("lru_clock", (wall_us / 1_000_000) & 0x00ff_ffff);
    let program = std::env::current_exe().unwrap_or_default();
    page.field("executable", program.display());
    let file = server.config.file().map(|file| file.display().to_string());
    page.field("config_file", file.unwrap_or_default());
    page.field("io_threads_active", u8::from(server.start.workers > 1));
    page.field(
        "availability_zone",
        server.config.string("availability-zone"),
    );
    listeners(page, view);
}

/// `listener0:name=tcp,bind=127.0.0.1,bind=::1,port=6379`, one line a kind and port.
fn listeners(page: &mut Page, view: &View<'_>) {
    let addresses = view.server.addresses.lock();
    let mut ports: Vec<u16> = addresses.iter().filter_map(io::Address::port).collect();
    ports.dedup();
    let mut count = 0;
    for port in ports {
        let binds: String = addresses
            .iter()
            .filter_map(|address| match address {
                io::Address::Ip(ip) if ip.port() == port => Some(format!("bind={},", ip.ip())),
                _ => None,
            })
            .collect();
        page.field(
            format_args!("listener{count}"),
            format_args!("name=tcp,{binds}port={port}"),
        );
        count += 1;
    }
    for address in addresses.iter() {
        if let io::Address::Unix(path) = address {
            page.field(
                format_args!("listener{count}"),
                format_args!("name=unix,bind={}", path.display()),
            );
            count += 1;
        }
    }
}

pub(super) fn cpu(page: &mut Page, _: &View<'_>) {
    let used = os::clock::cpu_times();
    page.field(
        "used_cpu_sys",
        format_args!("{:.6}", used.system.as_secs_f64()),
    );
    page.field(
        "used_cpu_user",
        format_args!("{:.6}", used.user.as_secs_f64()),
    );
    // There are no children, and no thread that is the main one: the workers' sum stands above.
    page.field("used_cpu_sys_children", "0.000000");
    page.field("used_cpu_user_children", "0.000000");
}
