//! The conformance suite on MariaDB: all cases on one server.

#[path = "server/mysql.rs"]
mod mysql;
mod server;

fn main() -> std::process::ExitCode {
    mysql::suite("mariadb", "SESSION_TEST_MARIADB_URL").main()
}
