//! The conformance suite on PostgreSQL: all cases on one server, each in tables of its own.

#[path = "server/postgres.rs"]
mod postgres;
mod server;

fn main() -> std::process::ExitCode {
    postgres::suite("postgres", "SESSION_TEST_POSTGRES_URL").main()
}
