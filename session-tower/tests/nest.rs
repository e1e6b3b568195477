//! The layer inside axum's `nest`, which takes the prefix away from the URI: what looks at the path looks at the one that was asked for.

#![cfg(feature = "axum")]

use std::sync::Arc;

use axum::body::Body;
use axum::{Router, routing::post};
use conformance_tests::traces;
use http::{Request, Response, StatusCode, header};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Secrets, Session, SessionConfig, SessionLayer};
use tower::ServiceExt;

fn config() -> SessionConfig {
    traces::capture();
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    SessionConfig::new(Arc::new(MemoryStore::new()), secrets)
}

async fn add(session: Session) -> Result<(), Error> {
    session.set("n", &1)
}

/// Asks an application whose routes are nested, with the layer inside.
async fn send(prefix: &str, path: &str, config: SessionConfig) -> Response<Body> {
    let inner = Router::new().route("/cart", post(add)).layer(SessionLayer::from(config));
    let app = Router::new().nest(prefix, inner);
    let request = Request::post(path).body(Body::empty()).expect("the test's request is valid");
    let Ok(response) = app.oneshot(request).await;
    if let Some(line) = line(&response) {
        line.split(['=', '.', ';']).skip(1).take(2).for_each(traces::keep_out);
    }
    response
}

fn line(response: &Response<Body>) -> Option<&str> {
    response.headers().get(header::SET_COOKIE).map(|line| line.to_str().expect("our cookies are text"))
}

#[tokio::test]
async fn a_path_gate_looks_at_the_path_that_was_asked_for() {
    let policy = CookiePolicy::builder().with_name("sid").with_path("/app").build().expect("it goes together");
    let response = send("/app", "/app/cart", config().with_cookie(policy).with_path_gating()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(line(&response).expect("a session was created").contains("; Path=/app"));
}

#[tokio::test]
async fn a_path_gate_is_not_fooled_by_what_is_left_of_the_path() {
    let policy = CookiePolicy::builder().with_name("sid").with_path("/cart").build().expect("it goes together");
    let response = send("/app", "/app/cart", config().with_cookie(policy).with_path_gating()).await;
    assert!(line(&response).is_none(), "a browser would not send it back to this path");
}

#[tokio::test]
async fn a_cookie_that_is_chosen_by_path_is_that_of_the_path_that_was_asked_for() {
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("it goes together");
    let config = config().with_cookie_of(move |request| {
        if request.uri.path().starts_with("/admin") { admin.clone() } else { CookiePolicy::default() }
    });
    let response = send("/admin", "/admin/cart", config).await;
    let line = line(&response).expect("a session was created");
    assert!(line.starts_with("__Host-admin="), "{}", line.split('=').next().unwrap_or_default());
}

#[tokio::test]
async fn a_cookie_that_is_chosen_by_path_is_so_under_two_prefixes() {
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("it goes together");
    let config = config().with_cookie_of(move |request| {
        if request.uri.path().starts_with("/site/admin") { admin.clone() } else { CookiePolicy::default() }
    });
    let inner = Router::new().route("/cart", post(add)).layer(SessionLayer::from(config));
    let app = Router::new().nest("/site", Router::new().nest("/admin", inner));
    let request = Request::post("/site/admin/cart").body(Body::empty()).expect("the test's request is valid");
    let Ok(response) = app.oneshot(request).await;
    assert!(line(&response).expect("a session was created").starts_with("__Host-admin="));
}
