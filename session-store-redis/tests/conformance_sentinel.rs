//! The conformance suite on a master that Sentinel names.

mod harness;

use conformance_tests::Need;

fn main() -> std::process::ExitCode {
    harness::suite("redis-sentinel", "SESSION_TEST_REDIS_SENTINEL_URL")
        .lacks(Need::RoundTrips, "sentinels tell the client the master's own address, past a line that counts")
        .lacks(Need::Outage, "sentinels tell the client the master's own address, past a line that can be cut")
        .main()
}
