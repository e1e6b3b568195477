//! Odd requests, clocks and stores.

mod support;
#[path = "support/ticking.rs"]
mod ticking;

use std::time::Duration;

use http::Request;
use session_core::{Page, Record, Scope, SessionIndex, SessionStore};
use session_express::{Express, ExpressCookie, FailurePolicy, InvalidSecrets, SessionSlot};
use session_http::LoadFailure;
use support::{HOUR, Site, eager, lean, line, open, respond, set};
use ticking::TickingClock;

#[tokio::test]
async fn a_request_whose_uri_has_no_path_has_a_session() {
    // Express takes it for `/`.
    let site = Site::new(lean());
    for uri in ["example.org:443", "example.org", "http://example.org", "/"] {
        let request = Request::builder().uri(uri).body(()).expect("the test's request is valid");
        let opened = site.slot_of(&request).open(request.headers()).await;
        assert!(opened.is_ok(), "{uri}: {:?}", opened.err());
    }
}

#[test]
fn an_empty_secret_is_not_told_that_it_is_short() {
    let error = Express::new([""]).expect_err("it is empty");
    assert_ne!(error.to_string(), InvalidSecrets::TooShort.to_string(), "a secret of one byte is accepted here");
}

async fn only_record(site: &Site) -> Record {
    let listing = site.store.inner.list(Scope::All, &Page::first(10)).await.expect("the memory store lists");
    let key = &listing.sessions.first().expect("there is one").key;
    site.store.inner.load(key).await.expect("the memory store works").expect("it is there").0
}

#[tokio::test]
async fn the_end_in_the_cookie_is_the_end_in_the_record() {
    for begins in [true, false] {
        let options = lean().with_cookie(ExpressCookie::new().with_max_age(HOUR)).with_rolling();
        let start = Site::new(lean()).now();
        let clock = TickingClock::new(start, Duration::from_secs(1));
        let mut site = Site::with(options, |config| config.with_clock(clock));
        let mut line = site.visit(async |session| set(session, "n")).await;
        if !begins {
            line = site.visit(async |session| set(session, "more")).await;
        }
        let line = line.expect("it sets the cookie");
        let (_, told) = line.split_once("Expires=").expect("it has an age");
        let record = only_record(&site).await;
        let kept: serde_json::Value = record.data.get("cookie").expect("it is an object").expect("it is there");
        let kept = kept["expires"].as_str().expect("it is a date");
        // `2026-01-01T13:00:01.000Z` and `Thu, 01 Jan 2026 13:00:01 GMT`.
        assert_eq!(&told[17..25], &kept[11..19], "{line} and {kept}");
        assert_eq!(record.expires_at.unix_millis() / 1000 % 60, kept[17..19].parse::<i64>().expect("it is a number"));
    }
}

#[tokio::test]
async fn no_session_is_touched_that_was_not_loaded() {
    let failure = FailurePolicy::default().with_load(LoadFailure::Anonymous);
    let mut site = Site::with(eager(), |config| config.with_failure(failure));
    site.visit(async |session| set(session, "n")).await;
    site.store.calls();
    site.store.set_down(true);
    let slot = site.slot();
    assert!(open(&slot).await.is_read_only());
    site.store.set_down(false);
    assert_eq!(site.finish(&slot).await, None);
    assert_eq!(site.store.calls(), ["load"]);
    site.visit(async |session| assert_eq!(session.get("n").expect("it is a number"), Some(1))).await;
}

#[tokio::test]
async fn a_layer_that_shows_the_headers_alone_loads_what_a_handler_asks_for() {
    let mut site = Site::new(lean());
    site.visit(async |session| set(session, "n")).await;
    site.store.calls();
    let slot = SessionSlot::new(site.sessions.clone());
    assert!(line(&respond(&slot).await).is_none());
    assert_eq!(site.store.calls(), [""; 0], "nobody asked for it, and its cookie was not seen");
    let slot = SessionSlot::new(site.sessions.clone());
    let session = slot.open(site.request("/").headers()).await.expect("the store works");
    assert_eq!(session.keys(), ["n"]);
    respond(&slot).await;
    assert_eq!(site.store.calls(), ["load", "touch"]);
    let slot = SessionSlot::new(site.sessions.clone());
    set(&open(&slot).await, "n");
    assert!(line(&respond(&slot).await).is_some(), "it is new");
}

#[tokio::test]
async fn an_id_that_no_browser_keeps_is_refused() {
    for (length, is_kept) in [(1, true), (3000, true), (4040, false)] {
        let id = session_express::SessionId::foreign(&"x".repeat(length)).expect("it is text");
        let site = Site::with(eager(), |config| config.with_new_id(move || Ok(id.clone())));
        let answer = site.slot().commit().await;
        assert_eq!(answer.is_ok(), is_kept, "{length}");
        assert_eq!(site.live().await, u64::from(is_kept), "{length}");
    }
}
