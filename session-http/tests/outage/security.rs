//! Requirements of `docs/security.md` that no other test shows by itself.

use std::sync::Arc;
use std::time::Duration;

use http::header;
use session_core::{Error as StoreError, Expiry};
use session_http::{Error, FailurePolicy, Secrets, SessionConfig, UnreadableSession};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};

use crate::support::log::{logged, start_log};
use crate::support::{App, Browser, HOUR, SECRET, assert_unavailable, set_cookie};

/// Makes the same application over the same records, with another key for them.
fn encrypted(app: &App, id: &str) -> App {
    let keys = EncryptionKeys::new([EncryptionKey::new(id, &[7; 32]).expect("a key")]).expect("one key");
    let store = Arc::new(EncryptedStore::new(app.store.clone(), "shop", keys));
    let secrets = Secrets::new([SECRET]).expect("it is long enough");
    let refuse = FailurePolicy::default().with_unreadable(UnreadableSession::Refuse);
    let config = SessionConfig::new(store, secrets).with_clock(app.clock.clone()).with_failure(refuse);
    App { store: app.store.clone(), clock: app.clock.clone(), config: config.into() }
}

#[tokio::test]
async fn s16_and_s20_a_session_that_does_not_decrypt_is_told_and_refused_and_never_empty() {
    const VALUE: &str = "a value that nobody else may read";
    start_log();
    let written = encrypted(&App::new(), "2026-01");
    let mut browser = Browser::default();
    written.request(&mut browser, async |session| session.set("v", VALUE).expect("text is JSON")).await;

    let without_the_key = encrypted(&written, "2026-07");
    let visit = without_the_key.visit(&browser);
    let refusal = visit.try_open().await.expect_err("it does not open");
    assert!(matches!(&refusal, Error::Store(StoreError::Corrupt(_))), "{refusal:?}");
    let log = logged();
    assert_unavailable(&refusal.to_response::<String>());

    assert!(log.contains("session not loaded") && log.contains("the stored session cannot be read"), "{log}");
    let (id, _) = browser.cookie.as_deref().and_then(|cookie| cookie.split_once('.')).expect("an id");
    for secret in [VALUE, id] {
        assert!(!log.contains(secret) && !format!("{refusal:?} {refusal}").contains(secret), "{log} {refusal:?}");
    }
    // What is stored is as it was, for who has the key.
    assert_eq!(written.value(&browser, "v").await, Some(VALUE.into()));
}

#[tokio::test]
async fn s12_use_keeps_a_session_until_its_deadline_and_not_a_millisecond_longer() {
    let deadline = 5 * HOUR;
    let app = App::with(|config| config.with_expiry(Expiry::idle_and_absolute(HOUR, deadline).expect("not zero")));
    let mut browser = app.browser().await;
    let step = HOUR / 2;
    for _ in 1..10 {
        app.clock.advance(step);
        // Reads, writes and a new id: none of them moves the end.
        app.request(&mut browser, async |session| assert!(!session.is_new())).await;
        app.request(&mut browser, async |session| session.modify("n", |n: &mut u32| *n += 1).expect("a number")).await;
        app.request(&mut browser, async |session| session.rotate()).await;
    }
    app.clock.advance(step - Duration::from_millis(1));
    assert_eq!(app.value(&browser, "n").await, Some(9.into()));
    app.clock.advance(Duration::from_millis(1));
    assert!(app.visit(&browser).open().await.is_new());

    // Without use it ends long before.
    let mut browser = app.browser().await;
    app.clock.advance(HOUR);
    let response = app.request(&mut browser, async |session| assert!(session.is_new())).await;
    assert_eq!(set_cookie(&response), None);
}

#[tokio::test]
async fn s17_data_beyond_the_limit_and_nesting_beyond_reason_are_errors_of_the_one_who_reads_or_writes() {
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = app.visit(&browser);
    visit.open().await.set("large", &"x".repeat(1024 * 1024)).expect("text is JSON");
    let response = visit.finish().await;
    assert_eq!((response.status().as_u16(), response.headers().get(header::SET_COOKIE)), (500, None));
    assert_eq!(app.value(&browser, "n").await, Some(0.into()), "the session is as it was");

    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let raw = serde_json::value::RawValue::from_string(deep).expect("it is JSON");
    app.request(&mut browser, async |session| session.set("deep", &raw).expect("it is JSON")).await;
    let session = app.visit(&browser).open().await;
    assert!(session.get::<serde_json::Value>("deep").is_err());
    assert_eq!(session.get::<u32>("n").expect("a number"), Some(0), "the rest can be read");
}
