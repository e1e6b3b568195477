//! The conformance suite on a master that Sentinel names.

mod harness;

fn main() -> std::process::ExitCode {
    harness::suite("redis-sentinel", "SESSION_TEST_REDIS_SENTINEL_URL").main()
}
