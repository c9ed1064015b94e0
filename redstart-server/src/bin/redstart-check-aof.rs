//! `redstart-check-aof`: see `../check_aof.rs`.

#[path = "../check_aof.rs"]
mod check_aof;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    std::process::exit(check_aof::main(&words));
}
