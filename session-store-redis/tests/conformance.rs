//! The conformance suite on one Redis server.

mod harness;

fn main() -> std::process::ExitCode {
    let suite = harness::suite("redis", "SESSION_TEST_REDIS_URL");
    suite.counts_round_trips(harness::round_trips).survives_outage(harness::outage).main()
}
