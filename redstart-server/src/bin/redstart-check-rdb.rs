//! `redstart-check-rdb`: see `../check_rdb.rs`.

#[path = "../check_rdb.rs"]
mod check_rdb;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    std::process::exit(check_rdb::main(&words));
}
