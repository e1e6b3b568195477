//! No shared cache keeps a response that tells an id, whatever header of its own it looks at.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use session_http::Session;

use crate::support::{App, Browser, set_cookie};

/// Answers with this header of the handler's, and returns what is left of it.
async fn left(name: &'static str, value: &'static str, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let visit = app.visit(&browser);
    handler(&visit.open().await).await;
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    let response = visit.finish_with(headers).await;
    assert!(set_cookie(&response).is_some());
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    response.headers().get(name).map(|value| value.to_str().expect("it is text").to_owned())
}

/// Says whether a cache that looks at this header keeps nothing.
fn keeps_nothing(left: Option<&str>) -> bool {
    left.is_none_or(|left| left == "no-store")
}

#[tokio::test]
async fn a_cache_that_has_a_header_of_its_own_keeps_no_new_id() {
    let mut stay = Vec::new();
    for (name, value) in [
        ("cdn-cache-control", "public, max-age=600"),
        ("surrogate-control", "max-age=600"),
        ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ] {
        let left = left(name, value, async |session| session.rotate()).await;
        if !keeps_nothing(left.as_deref()) {
            stay.push((name, left));
        }
    }
    assert_eq!(stay, [], "beside Set-Cookie");
}

#[tokio::test]
async fn a_cache_that_has_a_header_of_its_own_keeps_no_end_of_a_session() {
    let mut stay = Vec::new();
    for (name, value) in [("cdn-cache-control", "public, max-age=600"), ("surrogate-control", "max-age=600")] {
        let left = left(name, value, async |session| session.logout()).await;
        if !keeps_nothing(left.as_deref()) {
            stay.push((name, left));
        }
    }
    assert_eq!(stay, [], "beside Set-Cookie");
}

#[tokio::test]
async fn a_header_that_one_vendor_reads_keeps_no_new_id() {
    let mut stay = Vec::new();
    for (name, value) in [
        ("cloudflare-cdn-cache-control", "max-age=600"),
        ("netlify-cdn-cache-control", "max-age=600"),
        ("vercel-cdn-cache-control", "max-age=600"),
        ("x-accel-expires", "600"),
    ] {
        let left = left(name, value, async |session| session.rotate()).await;
        if !keeps_nothing(left.as_deref()) {
            stay.push((name, left));
        }
    }
    assert_eq!(stay, [], "beside Set-Cookie");
}
