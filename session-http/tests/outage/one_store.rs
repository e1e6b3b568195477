//! The store that the configuration was given is the only one: no other option puts another in its place.

use std::sync::Arc;

use session_core::{Page, Scope, SessionIndex, SessionStore};
use session_http::{Secrets, SessionConfig, SessionLimit};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};

use crate::support::{App, Browser, SECRET, WatchedStore};

fn encrypted(store: Arc<WatchedStore>) -> EncryptedStore<Arc<WatchedStore>> {
    let key = EncryptionKey::new("test", &[7; 32]).expect("it has 32 bytes");
    EncryptedStore::new(store, "test", EncryptionKeys::new([key]).expect("there is one"))
}

/// Returns the text that the innermost store has of the one session.
async fn stored_text(app: &App) -> String {
    let listing = app.store.inner.list(Scope::All, &Page::first(10)).await.expect("the memory store lists");
    let key = &listing.sessions.first().expect("there is one").key;
    let (record, _) = app.store.inner.load(key).await.expect("the memory store works").expect("it is there");
    record.data.as_str().to_owned()
}

#[tokio::test]
async fn a_limit_does_not_take_the_encryption_away() {
    let app = App::configured(|store, clock| {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        SessionConfig::new(Arc::new(encrypted(store)), secrets)
            .with_clock(clock)
            .with_session_limit(SessionLimit::end_oldest(3))
    });
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.set("note", "for nobody else").expect("a text is JSON")).await;
    assert!(!stored_text(&app).await.contains("for nobody else"));
}
