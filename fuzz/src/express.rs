//! The cookie of express-session: in the request, and in the data of a stored session.

use std::sync::Arc;

use http::{HeaderMap, Request, header};
use session_core::{Data, SessionId, SessionStore as _};
use session_express::{Express, SessionSlot, Sessions, sign, unsign};
use session_store_memory::MemoryStore;

use crate::cookies::{ID, NEW, OLD, have, headers, plant};
use crate::{line, wait};

struct Application {
    store: Arc<MemoryStore>,
    sessions: Sessions,
    express: Express,
    genuine: [String; 2],
    id: SessionId,
}

thread_local! {
    static APPLICATION: Application = application();
}

fn application() -> Application {
    let store = Arc::new(MemoryStore::new());
    let express = Express::new([NEW, OLD]).expect("not empty");
    let config = express.clone().config(store.clone()).expect("the defaults are allowed");
    // As it is, and with the escapes that Express writes.
    let signed = |secret| sign(ID, Express::new([secret]).expect("not empty").secrets());
    let genuine = [format!("s:{}", signed(NEW)), format!("s:{}", signed(OLD)).replace('+', "%2B").replace('/', "%2F")];
    let id = SessionId::parse(ID).expect("an id");
    Application { store, sessions: config.into(), express, genuine, id }
}

/// The first line is a `Cookie` header, the rest the data of the stored session.
pub fn express(mut input: &[u8]) {
    APPLICATION.with(|Application { store, sessions, express, genuine, id }| {
        let cookie = line(&mut input);
        let headers = headers(cookie, genuine);
        let data = std::str::from_utf8(input).ok().and_then(|text| Data::parse(text).ok()).unwrap_or_default();
        wait(plant(store, id, data));

        let mut request = Request::new(());
        *request.headers_mut() = headers.clone();
        let slot = SessionSlot::for_request(sessions.clone(), &request);
        let session = wait(slot.open(&headers)).expect("memory does not fail");
        // Escapes may stand for any of its characters, so its beginning and its end are not looked for in what has some.
        let is_genuine = have(&headers, genuine) || cookie.contains(&b'%');
        assert!(session.is_new() || is_genuine, "a forged cookie was accepted");
        let was_new = session.is_new();
        let mut response = HeaderMap::new();
        if let Ok(added) = wait(slot.commit()) {
            added.apply(&mut response);
        }
        assert!(response.get_all(header::SET_COOKIE).iter().count() <= 1);

        if let (true, Some(key)) = (was_new, session.key()) {
            wait(store.delete(&key)).expect("memory does not fail");
        }

        if let Ok(text) = std::str::from_utf8(cookie)
            && let Some(content) = unsign(text, express.secrets())
        {
            let by = [NEW, OLD].map(|secret| sign(content, Express::new([secret]).expect("not empty").secrets()));
            assert!(by.iter().any(|signed| signed == text), "another text for the same signature");
        }
    });
}
