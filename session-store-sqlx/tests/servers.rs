//! What the suite cannot ask of every store: servers with odd settings, the application's own pools, poolers, plans.

#[path = "servers/faults.rs"]
mod faults;
#[path = "servers/mysql.rs"]
mod mysql;
#[path = "servers/postgres.rs"]
mod postgres;
#[path = "servers/work.rs"]
mod work;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::BoxError;
use session_store_sqlx::{MySqlStore, PostgresStore};

/// Names the URL at which a process of this program does nothing but set up a store.
const SET_UP: &str = "SESSION_SQLX_SET_UP";

fn main() -> ExitCode {
    if let Ok(url) = std::env::var(SET_UP) {
        return match run(set_up(url)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let trials = postgres::trials().into_iter().chain(mysql::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Makes a test of what needs a server; without one it is ignored, and in CI it fails.
fn trial<F, Fut>(name: &'static str, variable: &'static str, test: F) -> Trial
where
    F: FnOnce(String) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    let is_ignored = url.is_none() && std::env::var_os("CI").is_none();
    let kind = if is_ignored { format!("{variable} names no server") } else { variable.to_owned() };
    Trial::test(name, move || match url {
        Some(url) => run(test(url)).map_err(|error| Failed::from(format!("{error:?}"))),
        None => Err(Failed::from(format!("{variable} names no server"))),
    })
    .with_kind(kind)
    .with_ignored_flag(is_ignored)
}

fn run(test: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(test)
}

/// Sets up the table that a URL names after a `#`.
async fn set_up(target: String) -> Result<(), BoxError> {
    let (url, table) = target.split_once('#').ok_or("no table")?;
    if url.starts_with("mysql") {
        MySqlStore::open(url).await?.with_table(table)?.setup().await?;
    } else {
        PostgresStore::open(url).await?.with_table(table)?.setup().await?;
    }
    Ok(())
}

/// Ten processes set up the same new table at the same moment, a few times.
async fn ten_processes_set_up_at_once(url: String) -> Result<(), BoxError> {
    for _ in 0..3 {
        let target = format!("{url}#{}", work::fresh_table());
        let processes: Vec<_> = (0..10)
            .map(|_| tokio::process::Command::new(std::env::current_exe()?).env(SET_UP, &target).spawn())
            .collect::<std::io::Result<_>>()?;
        for mut process in processes {
            assert!(process.wait().await?.success(), "a process could not set up the table");
        }
    }
    Ok(())
}
