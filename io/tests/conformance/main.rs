//! One suite, every driver: what `docs/design/io.md` promises, tried out.
//!
//! `world.rs` says what a backend must bring (a loop, and a client to talk to it), `app.rs` is the
//! small server that most cases drive, and the cases are `cases.rs`. At the foot of this file each
//! case becomes a test for each world. Nothing blocks: a case lets the loop take turns until what
//! it waits for has happened, and fails after a deadline.

mod app;
mod cases;
mod world;

/// Makes a module of tests for one world.
macro_rules! suite {
    ($name:ident, $world:expr, [$($case:ident),* $(,)?]) => {
        mod $name {
            $(
                #[test]
                fn $case() {
                    crate::cases::$case(&$world);
                }
            )*
        }
    };
}

/// The cases that every world must pass.
macro_rules! every_case {
    ($name:ident, $world:expr) => {
        suite!(
            $name,
            $world,
            [
                echo,
                large_payload,
                many_connections,
                pipelined,
                half_close,
                reset_mid_send,
                cancel_then_close,
                wake_before_wait,
                timers,
                handover,
                slow_reader,
                token_reuse,
                wait_readable_then_receive,
                receive_into_fills_the_given_buffer,
                both_families,
                polite_close_delivers_the_last_reply,
                polite_close_finishes_a_pending_send,
                polite_close_gives_up_on_a_silent_peer,
                close_now_lets_go_of_output,
                connect_out,
                shutdown_write,
                options,
                one_receive_for_each_turn,
            ]
        );
    };
}

every_case!(system, crate::world::System::new());
every_case!(sim_calm, crate::world::Simulated::calm());
every_case!(sim_stormy, crate::world::Simulated::stormy());

suite!(
    system_only,
    crate::world::System::new(),
    [wake_from_another_thread, silence_is_cheap]
);
suite!(
    sim_threaded,
    crate::world::Simulated::threaded(),
    [echo, pipelined, wake_from_another_thread]
);

#[cfg(unix)]
suite!(unix, crate::world::System::new(), [unix_socket]);
