//! What the suite cannot ask for, because no other backend has it: collections that must be refused, and a primary that is killed.

mod errors;
mod failover;
mod given_up;
mod layout;
mod many;
mod refusals;
mod set;
mod sweep;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::BoxError;

fn main() -> ExitCode {
    let on_server = |name, test: fn(&str) -> Result<(), BoxError>| trial(name, "SESSION_TEST_MONGO_URL", test);
    let on_set = |name, test: fn(&str) -> Result<(), BoxError>| trial(name, "SESSION_TEST_MONGO_REPLICA_URL", test);
    let on_program = |name, test: fn(&str) -> Result<(), BoxError>| trial(name, "SESSION_TEST_MONGO_PROGRAM", test);
    let trials = vec![
        on_server("a collection that compares by the rules of a language is refused", refusals::collation),
        on_server("a capped collection and a view are refused", refusals::capped_and_view),
        on_server("nothing is written where setup has not run", refusals::not_set_up),
        on_server("every write moves the place of a record in the order of sweeps", sweep::places),
        on_server("documents that others have made are corrupt and not shown", refusals::planted),
        on_server("a collection that is dropped takes nothing until it is set up again", layout::dropped),
        on_server("another program's documents are refused and left", layout::foreign),
        on_server("setup and verify say what is missing or another", layout::verified),
        on_server("what is about many goes in steps, and a count reads no documents", many::steps),
        on_server("a store outlives the runtime that made it", given_up::runtimes),
        on_set("a secondary that is named alone takes no call", errors::secondary),
        on_program("a server that stood still is used again", given_up::stopped),
        on_program("mistakes are told from outages, in words", errors::causes),
        Trial::test("no character of a password makes it show", || Ok(errors::secrets()?)),
        on_program("a killed primary takes nothing along that was acknowledged", failover::killed),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test of what an environment variable names. Without it the test is ignored, and in CI it fails.
fn trial(name: &str, variable: &'static str, test: fn(&str) -> Result<(), BoxError>) -> Trial {
    let named = std::env::var(variable);
    let is_ignored = named.is_err() && std::env::var_os("CI").is_none();
    let kind = if is_ignored { format!("{variable} names nothing") } else { String::new() };
    let run = move || match &named {
        Ok(named) => test(named).map_err(|error| Failed::from(format!("{error:?}"))),
        Err(_) => Err(Failed::from(format!("{variable} names nothing"))),
    };
    Trial::test(name, run).with_kind(kind).with_ignored_flag(is_ignored)
}
