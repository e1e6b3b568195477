//! The conformance suite on encryption around a Redis Cluster.

mod over;

use session_store_redis::RedisStore;

fn main() -> std::process::ExitCode {
    over::on_server("encrypted-redis-cluster", "SESSION_TEST_REDIS_CLUSTER_URL", |url, space| async move {
        let store = RedisStore::open(url).await?.with_prefix(space.namespace())?.with_clock(space.clock());
        Ok(store.with_timeout(over::TIMEOUT).with_max_data_bytes(over::LIMIT))
    })
    .collects_garbage()
    .main()
}
