//! The `Cookie` headers of a request: finding the cookie, and reading its signature.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use session_core::{Clock, Data, Record, SessionId, SessionKey, SessionStore, SystemClock};
use session_http::{CookieFormat, Secrets, SessionConfig, SessionSlot, Sessions, SignedId};
use session_store_memory::MemoryStore;

use crate::wait;

pub(crate) const NEW: &str = "the new secret, 32 bytes or more, random";
pub(crate) const OLD: &str = "the secret that was used before, random";
pub(crate) const ID: &str = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";

struct Application {
    store: Arc<MemoryStore>,
    config: Sessions,
    /// What a client may present: signed by the new secret, and by the old one.
    genuine: [String; 2],
}

thread_local! {
    static APPLICATION: Application = application();
}

fn application() -> Application {
    let id = SessionId::parse(ID).expect("an id");
    let store = Arc::new(MemoryStore::new());
    // One that is used: what is empty, or longer than the policy allows, may be ended or written by whoever opens it.
    wait(plant(&store, &id, Data::parse(r#"{"planted":true}"#).expect("an object")));
    let signed = |secrets: &[&str]| SignedId.write(&id, &Secrets::new(secrets).expect("long enough"));
    let config = SessionConfig::new(store.clone(), Secrets::new([NEW, OLD]).expect("long enough"));
    Application { store, config: config.into(), genuine: [signed(&[NEW]), signed(&[OLD])] }
}

/// Puts a live session under an id.
pub(crate) async fn plant(store: &MemoryStore, id: &SessionId, data: Data) {
    let (key, now) = (SessionKey::derive("session", id), SystemClock.now());
    let _ = store.delete(&key).await;
    store
        .create(&key, &Record::new(data, now, now.saturating_add(Duration::from_secs(3600))))
        .await
        .expect("it is free");
}

/// Makes headers of lines. No header can have a control character: they stand for what an attacker cannot guess.
pub(crate) fn headers(input: &[u8], genuine: &[String; 2]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|&byte| byte == b'\n').take(8) {
        let mut text = Vec::new();
        for &byte in line {
            match byte {
                1 | 2 => text.extend_from_slice(genuine[usize::from(byte - 1)].as_bytes()),
                _ => text.push(byte),
            }
        }
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            headers.append(header::COOKIE, value);
        }
    }
    headers
}

/// Says whether one of the headers has one of the texts in it.
pub(crate) fn have(headers: &HeaderMap, texts: &[String]) -> bool {
    let mut lines = headers.get_all(header::COOKIE).iter();
    lines.any(|line| texts.iter().any(|text| line.as_bytes().windows(text.len()).any(|at| at == text.as_bytes())))
}

/// Only what was signed is accepted; what is accepted gets at most one cookie.
pub fn cookies(input: &[u8]) {
    APPLICATION.with(|Application { store, config, genuine }| {
        let headers = headers(input, genuine);
        let slot = SessionSlot::new(config.clone());
        let session = wait(slot.open(&headers)).expect("memory does not fail");
        if session.is_new() {
            session.set("n", &1).expect("a number");
        } else {
            assert!(have(&headers, genuine), "a forged cookie was accepted");
            let id = SessionId::parse(ID).expect("an id");
            assert_eq!(session.key(), Some(SessionKey::derive("session", &id)));
        }
        let was_new = session.is_new();
        let mut response = HeaderMap::new();
        wait(slot.commit()).expect("memory does not fail").apply(&mut response);
        assert!(response.get_all(header::SET_COOKIE).iter().count() <= 1);

        // Without a server around it: what is read is what would be written.
        let secrets = [NEW, OLD].map(|secret| Secrets::new([secret]).expect("long enough"));
        for secrets in &secrets {
            if let Some(id) = SignedId.read(input, secrets) {
                assert_eq!(SignedId.write(&id, secrets).as_bytes(), input);
            }
        }
        if let (true, Some(key)) = (was_new, session.key()) {
            assert!(wait(store.delete(&key)).expect("memory does not fail"), "a new session was not stored");
        }
    });
}
