//! The conformance suite on PostgreSQL behind pgbouncer in its mode `transaction`.

#[path = "server/postgres.rs"]
mod postgres;
mod server;

fn main() -> std::process::ExitCode {
    postgres::suite("pgbouncer", "SESSION_TEST_PGBOUNCER_URL").main()
}
