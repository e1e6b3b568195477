//! URLs open the stores that they name, and every refusal says what to do.

use session_core::{Clock, Data, Record, SessionIndex, SessionKey, SystemClock};
use session_store::OpenError;
use std::sync::Arc;
use std::time::Duration;

async fn works(store: &Arc<dyn SessionIndex>) {
    let key = SessionKey::parse("k").expect("the test's key is a key");
    let now = SystemClock.now();
    let record = Record::new(Data::empty(), now, now.saturating_add(Duration::from_secs(60)));
    store.create(&key, &record).await.expect("the store works");
    assert!(store.delete(&key).await.expect("the store works"));
}

async fn refusal(url: &str) -> OpenError {
    session_store::open(url).await.err().expect("the url is refused")
}

#[tokio::test]
async fn a_url_opens_its_store() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    works(&session_store::open("memory:").await.expect("memory opens")).await;
    if cfg!(feature = "file") {
        works(&session_store::open(&format!("file:{}?durability=relaxed", at("files"))).await.expect("a folder opens"))
            .await;
    }
    if cfg!(feature = "sqlite") {
        let url = format!("sqlite:{}?namespace=shop&pool=2&timeout_ms=1000&durability=power-loss", at("db"));
        works(&session_store::open(&url).await.expect("a file opens")).await;
        let again = session_store::open(&format!("sqlite:{}?namespace=shop&setup=off", at("db"))).await;
        works(&again.expect("the table is there")).await;
        let url = format!("sqlite:{}?namespace=other&setup=off", at("db"));
        let store = session_store::open(&url).await.expect("nothing is asked of the table yet");
        assert!(store.count(session_core::Scope::All).await.is_err(), "setup=off made a table");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_and_said_without_the_url() {
    for (url, said) in [
        ("secret", "not given as a url"),
        ("oracle://secret@host", "there is no store for `oracle:`"),
        ("memory:secret", "`memory:`"),
        ("MEMORY:?namespace=secret", "does not know the parameter `namespace`"),
        ("memory:#secret", "%23"),
        ("memory:?max_data_bytes=secret", "`max_data_bytes` must be a whole number"),
    ] {
        let words = refusal(url).await.to_string();
        assert!(words.contains(said) && !words.contains("secret"), "{url}: {words}");
    }
    if cfg!(feature = "sqlite") {
        assert!(matches!(refusal("sqlite:").await, OpenError::NoPath));
        assert!(matches!(refusal("sqlite:x?mode=memory").await, OpenError::UnknownParameter(_)));
    }
    if !cfg!(feature = "sqlite") {
        let words = refusal("sqlite:x").await.to_string();
        assert!(words.contains("add the feature `sqlite`"), "{words}");
    }
}
