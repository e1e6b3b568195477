//! The conformance suite, run on session stores that others have published.
//!
//! `scripts/peers` starts the servers and runs it. What the stores' calls are is in [`peer`]; how the calls of the contract are put
//! together from them is in [`adapter`], as well as it can be done from outside; the stores themselves are in [`tower`] and [`axum`].

mod adapter;
mod axum;
mod peer;
mod report;
mod tower;

use std::process::ExitCode;

use conformance_tests::{Report, Suite};
use session_core::BoxError;

use crate::adapter::Adapter;
use crate::peer::Peer;

/// One published store: its name, and how it is run through the suite.
struct Candidate {
    name: &'static str,
    /// The variable that names its server, if it has one.
    server: Option<&'static str>,
    run: fn(&'static str, Option<String>) -> Result<Report, BoxError>,
}

const CANDIDATES: &[Candidate] = &[
    Candidate { name: "tower-sessions-memory-store 0.15", server: None, run: tower::memory },
    Candidate { name: "tower-sessions-moka-store 0.15", server: None, run: tower::moka },
    Candidate { name: "tower-sessions-file-store 0.3", server: None, run: tower::file },
    Candidate { name: "tower-sessions-sqlx-store 0.15, SQLite", server: None, run: tower::sqlite },
    Candidate {
        name: "tower-sessions-sqlx-store 0.15, PostgreSQL",
        server: Some("SESSION_TEST_POSTGRES_URL"),
        run: tower::postgres,
    },
    Candidate {
        name: "tower-sessions-sqlx-store 0.15, MariaDB",
        server: Some("SESSION_TEST_MARIADB_URL"),
        run: tower::mysql,
    },
    Candidate { name: "tower-sessions-redis-store 0.16", server: Some("SESSION_TEST_REDIS_URL"), run: tower::redis },
    Candidate {
        name: "tower-sessions-mongodb-store 0.11",
        server: Some("SESSION_TEST_MONGO_URL"),
        run: tower::mongodb,
    },
    Candidate {
        name: "axum_session_sqlx 0.12, PostgreSQL",
        server: Some("SESSION_TEST_POSTGRES_URL"),
        run: axum::postgres,
    },
    Candidate { name: "axum_session_sqlx 0.12, MariaDB", server: Some("SESSION_TEST_MARIADB_URL"), run: axum::mysql },
    Candidate { name: "axum_session_redispool 0.13", server: Some("SESSION_TEST_REDIS_URL"), run: axum::redis },
];

fn main() -> ExitCode {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let mut reports = Vec::new();
    for candidate in CANDIDATES.iter().filter(|candidate| candidate.name.contains(&filter)) {
        let url = match candidate.server.map(std::env::var).transpose() {
            Ok(url) => url,
            Err(_) => {
                eprintln!("{}: its server is not there; run scripts/peers", candidate.name);
                return ExitCode::FAILURE;
            }
        };
        eprintln!("{} …", candidate.name);
        match (candidate.run)(candidate.name, url) {
            Ok(report) => reports.push(report),
            Err(error) => {
                eprintln!("{}: {error}", candidate.name);
                return ExitCode::FAILURE;
            }
        }
    }
    print!("{}", report::to_markdown(&reports));
    ExitCode::SUCCESS
}

/// Runs the suite on what `open` makes for a namespace.
fn report<P, F, Fut>(name: &str, open: F) -> Result<Report, BoxError>
where
    P: Peer,
    F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<P, BoxError>> + Send + 'static,
{
    let opening = open.clone();
    Suite::without_index(name, move |space| {
        let opening = opening(space.namespace().to_owned());
        async move { Ok(Adapter(opening.await?)) }
    })
    .reopens()
    .ages(move |space, key, by| {
        let opening = open(space.namespace().to_owned());
        async move { Adapter(opening.await?).age(&key, by).await }
    })
    .without_clock()
    .report()
}
