//! The conformance suite on encryption around MongoDB.

mod over;

use session_store_mongo::MongoStore;

fn main() -> std::process::ExitCode {
    over::on_server("encrypted-mongo", "SESSION_TEST_MONGO_URL", |url, space| async move {
        let store = MongoStore::open(url).await?.with_collection(space.namespace())?.with_clock(space.clock());
        let store = store.with_timeout(over::TIMEOUT).with_max_data_bytes(over::LIMIT);
        store.setup().await?;
        Ok(store)
    })
    .collects_garbage()
    .main()
}
