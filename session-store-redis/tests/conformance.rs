//! The conformance suite on one Redis server.

mod harness;

fn main() -> std::process::ExitCode {
    harness::suite("redis", "SESSION_TEST_REDIS_URL").main()
}
