//! The conformance suite on a standalone MongoDB server, each case in a collection of its own.

mod mongo;

fn main() -> std::process::ExitCode {
    mongo::suite("mongo", "SESSION_TEST_MONGO_URL").main()
}
