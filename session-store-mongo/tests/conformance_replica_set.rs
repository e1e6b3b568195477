//! The conformance suite on a replica set of MongoDB, each case in a collection of its own.

mod mongo;

fn main() -> std::process::ExitCode {
    mongo::suite("mongo-replica", "SESSION_TEST_MONGO_REPLICA_URL").main()
}
