//! A cookie format of one's own that writes what a cookie's value cannot have: nothing is stored, and nothing is said.

use http::header;
use session_core::{Scope, SessionId, SessionIndex};
use session_http::{CookieFormat, Secrets, SignedId};

use crate::support::{App, Browser};

/// The library's own format, and this after it.
#[derive(Debug)]
struct Followed(String);

impl CookieFormat for Followed {
    fn write(&self, id: &SessionId, secrets: &Secrets) -> String {
        format!("{}{}", SignedId.write(id, secrets), self.0)
    }

    fn read(&self, value: &[u8], secrets: &Secrets) -> Option<SessionId> {
        SignedId.read(value.strip_suffix(self.0.as_bytes())?, secrets)
    }
}

/// Sets a value in a new session, and returns the status, how many cookies the response sets, and how many sessions are
/// stored.
async fn begin(tail: &str) -> (u16, usize, u64) {
    let app = App::with(|config| config.with_cookie_format(Followed(tail.into())));
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    let response = visit.finish().await;
    let cookies = response.headers().get_all(header::SET_COOKIE).iter().count();
    (response.status().as_u16(), cookies, app.store.inner.count(Scope::All).await.expect("it counts"))
}

#[tokio::test]
async fn a_control_character_stores_no_session_that_nobody_can_reach() {
    let mut accepted = Vec::new();
    for tail in ["\u{7}", "\r\n", "\0", "\u{7f}"] {
        let seen = begin(tail).await;
        if seen != (503, 0, 0) {
            accepted.push((tail, seen));
        }
    }
    assert_eq!(accepted, []);
}

#[tokio::test]
async fn a_semicolon_injects_no_attribute() {
    assert_eq!(begin("; Domain=example.org").await, (503, 0, 0));
}

#[tokio::test]
async fn what_a_browser_or_a_reader_of_cookies_cuts_off_is_refused() {
    let mut accepted = Vec::new();
    for tail in [" ", ",x", "\"", "\\", "ü"] {
        let seen = begin(tail).await;
        if seen != (503, 0, 0) {
            accepted.push((tail, seen));
        }
    }
    assert_eq!(accepted, []);
}

#[tokio::test]
async fn a_value_that_browsers_do_not_keep_is_refused() {
    // Name and value have 4096 bytes at most.
    assert_eq!(begin(&"a".repeat(4096)).await, (503, 0, 0));
}
