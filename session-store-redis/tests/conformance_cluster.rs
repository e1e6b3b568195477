//! The conformance suite on a Redis Cluster.

mod harness;

use conformance_tests::Need;

fn main() -> std::process::ExitCode {
    harness::suite("redis-cluster", "SESSION_TEST_REDIS_CLUSTER_URL")
        .lacks(
            Need::RoundTrips,
            "rotate and the calls about all parts take several round trips; they are listed in the README",
        )
        .lacks(Need::Outage, "the nodes of a cluster tell the client their own addresses, past a line that can be cut")
        .main()
}
