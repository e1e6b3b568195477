//! A record that cannot be read does not lock its browser out: its user can log in and log out.

use std::sync::Arc;

use session_core::SessionKey;
use session_http::{Error, FailurePolicy, Secrets, SessionConfig, UnreadableSession};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};

use crate::support::{App, Browser, SECRET, owner, set_cookie};

/// Makes a browser whose record the application cannot read, as it was stored before the encryption.
async fn locked_out() -> (App, Browser, SessionKey) {
    locked_out_under(FailurePolicy::default()).await
}

async fn locked_out_under(policy: FailurePolicy) -> (App, Browser, SessionKey) {
    let plain = App::new();
    let browser = plain.browser().await;
    let key = plain.visit(&browser).open().await.key().expect("it is stored");
    let encryption = EncryptionKey::new("test", &[7; 32]).expect("it has 32 bytes");
    let keys = EncryptionKeys::new([encryption]).expect("there is one");
    let store = EncryptedStore::new(plain.store.clone(), "test", keys);
    let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
    let config = SessionConfig::new(Arc::new(store), secrets).with_clock(plain.clock.clone()).with_failure(policy);
    (App { config: config.into(), ..plain }, browser, key)
}

#[tokio::test]
async fn a_login_works_where_the_record_cannot_be_read() {
    let (app, mut browser, _) = locked_out().await;
    let visit = app.visit(&browser);
    let session = visit.try_open().await.expect("the user can help himself");
    session.login("ada").expect("a short name is an owner");
    let response = visit.finish().await;
    assert_eq!(response.status(), 200);
    browser.learn(&response);
    assert_eq!(app.visit(&browser).open().await.owner(), Some(owner("ada")));
}

#[tokio::test]
async fn a_logout_works_where_the_record_cannot_be_read() {
    let (app, browser, key) = locked_out().await;
    let visit = app.visit(&browser);
    visit.try_open().await.expect("the user can help himself").logout();
    let response = visit.finish().await;
    assert_eq!(response.status(), 200);
    let (_, attributes) = set_cookie(&response).expect("the browser is told");
    assert!(attributes.contains("Max-Age=0"), "{attributes}");
    assert!(!app.is_live(&key).await);
}

#[tokio::test]
async fn nothing_else_is_stored_where_the_record_cannot_be_read() {
    let (app, browser, key) = locked_out().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    assert!(session.is_read_only() && session.is_empty() && session.owner().is_none());
    session.set("n", &7).expect("a number is JSON");
    assert!(matches!(session.save().await, Err(Error::ReadOnly)));
    let response = visit.finish().await;
    assert_eq!((response.status().as_u16(), set_cookie(&response)), (503, None));
    assert!(app.is_live(&key).await, "whoever has the key can read it still");
}

#[tokio::test]
async fn a_policy_begins_anew_where_the_record_cannot_be_read() {
    let policy = FailurePolicy::default().with_unreadable(UnreadableSession::BeginAnew);
    let (app, mut browser, key) = locked_out_under(policy).await;
    let response = app.request(&mut browser, async |session| session.set("n", &7).expect("a number is JSON")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(7.into()));
    assert!(app.is_live(&key).await, "the old one stays until it expires");
}
