//! The conformance suite on a Redis Cluster.

mod harness;

fn main() -> std::process::ExitCode {
    let suite = harness::suite("redis-cluster", "SESSION_TEST_REDIS_CLUSTER_URL");
    // Six servers on one small machine: the cases with thousands of histories take a while.
    let suite = suite.with_limit(std::time::Duration::from_secs(400));
    // As the README says: two keys of a rotation are in two slots, and the index has 32 parts.
    let suite = suite.costs("rotate", 4..=4).costs("a rotation that conflicts", 3..=3);
    // Parts are asked at the same time, and what comes to one server together makes one round trip.
    let suite = suite.costs("list", 3..=32).costs("count", 3..=32).costs("delete_owned", 9..=96);
    suite.costs("delete_expired", 32..=32).costs("clear", 32..=32).main()
}
