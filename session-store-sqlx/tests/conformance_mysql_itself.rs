//! The conformance suite on MySQL itself: all cases on one server.

#[path = "server/mysql.rs"]
mod mysql;
mod server;

fn main() -> std::process::ExitCode {
    mysql::suite("mysql", "SESSION_TEST_MYSQL_URL").main()
}
