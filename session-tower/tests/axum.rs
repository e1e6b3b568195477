//! The extractors, in an axum application.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Router, http::Request, http::Response};
use conformance_tests::traces;
use http_body_util::BodyExt;
use session_core::{Clock, ManualClock, Scope, SessionIndex, SystemClock};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Fresh, Secrets, Session, SessionLayer};
use tower::ServiceExt;

async fn add(session: Session) -> Result<String, Error> {
    session.modify("cart", |cart: &mut Vec<String>| cart.push("tea".into()))?;
    Ok(session.get::<Vec<String>>("cart")?.unwrap_or_default().len().to_string())
}

async fn wrong(session: Session) -> Result<String, Error> {
    Ok(session.get::<u32>("cart")?.unwrap_or_default().to_string())
}

async fn login(one: Session, two: Session) -> Result<String, Error> {
    one.login("ada")?;
    Ok(two.owner().map_or_else(String::new, |owner| owner.to_string()))
}

/// A page that does without a session when there is none to be had.
async fn optional(session: Option<Session>) -> &'static str {
    if session.is_some() { "with" } else { "without" }
}

fn routes() -> Router {
    Router::new()
        .route("/cart", post(add).get(wrong))
        .route("/login", post(login))
        .route("/logout", post(async |session: Session| session.logout()))
        .route("/optional", get(optional))
        .route("/plain", get(async || "hello"))
}

fn app(store: &Arc<MemoryStore>) -> Router {
    traces::capture();
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    let sessions = SessionLayer::new(store.clone(), secrets).with_cookie(CookiePolicy::insecure_for_development());
    routes().layer(sessions)
}

async fn send(app: &Router, method: &str, path: &str, cookie: &str) -> (Response<Body>, String) {
    let request = Request::builder().method(method).uri(path).header("cookie", cookie).body(Body::empty());
    let response = app.clone().oneshot(request.expect("the test's request is valid")).await.expect("it is infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body is in memory").to_bytes();
    (Response::from_parts(parts, Body::empty()), String::from_utf8_lossy(&body).into_owned())
}

fn cookie(response: &Response<Body>) -> String {
    let line = response.headers()["set-cookie"].to_str().expect("our cookies are text");
    assert!(line.starts_with("session=") && !line.contains("Secure"));
    line.split(['=', '.', ';']).skip(1).take(2).for_each(traces::keep_out);
    line.split(';').next().unwrap_or_default().into()
}

#[tokio::test]
async fn a_cart_a_login_and_a_logout() {
    let store = Arc::new(MemoryStore::new());
    let app = app(&store);
    let (response, body) = send(&app, "POST", "/cart", "").await;
    assert_eq!(body, "1");
    let anonymous = cookie(&response);
    assert_eq!(send(&app, "POST", "/cart", &anonymous).await.1, "2");

    let (response, body) = send(&app, "POST", "/login", &anonymous).await;
    assert_eq!(body, "ada", "two extractors give one session");
    let mine = cookie(&response);
    assert_eq!(send(&app, "POST", "/cart", &mine).await.1, "3");
    let (response, body) = send(&app, "POST", "/cart", &anonymous).await;
    assert_eq!((response.status().as_u16(), body.as_str()), (409, ""), "the old id is dead");
    assert!(!response.headers().contains_key("set-cookie"), "and begins no session over the one of the login");

    let (response, _) = send(&app, "POST", "/logout", &mine).await;
    assert!(response.headers()["set-cookie"].to_str().expect("it is text").contains("Max-Age=0"));
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 0);
    assert_eq!(send(&app, "GET", "/cart", &mine).await.1, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_additions_at_once_lose_nothing() {
    let store = Arc::new(MemoryStore::new());
    let app = app(&store);
    let cookie = cookie(&send(&app, "POST", "/cart", "").await.0);
    let additions: Vec<_> = (0..20)
        .map(|_| {
            let (app, cookie) = (app.clone(), cookie.clone());
            tokio::spawn(async move { send(&app, "POST", "/cart", &cookie).await.0.status() })
        })
        .collect();
    for addition in additions {
        assert_eq!(addition.await.expect("no request panics"), 200);
    }
    assert_eq!(send(&app, "POST", "/cart", &cookie).await.1, "22");
}

#[tokio::test]
async fn errors_are_responses() {
    let store = Arc::new(MemoryStore::new());
    let app = app(&store);
    let cookie = cookie(&send(&app, "POST", "/cart", "").await.0);
    assert_eq!(send(&app, "GET", "/cart", &cookie).await.0.status(), 500, "a list is no number");
    assert_eq!(send(&app, "GET", "/optional", &cookie).await.1, "with");
    assert_eq!(send(&routes(), "GET", "/optional", &cookie).await.1, "without");
    assert_eq!(send(&routes(), "POST", "/cart", &cookie).await.0.status(), 500, "the layer is missing");
    let (plain, body) = send(&app, "GET", "/plain", &cookie).await;
    assert_eq!((body.as_str(), plain.headers().contains_key("vary")), ("hello", false));
}

async fn pay(session: Fresh<300>) -> String {
    session.owner().map_or_else(String::new, |owner| owner.to_string())
}

async fn ask(session: Result<Fresh<300>, Error>) -> &'static str {
    match session {
        Ok(_) => "paid",
        Err(Error::NotFresh) => "your password, please",
        Err(_) => "later",
    }
}

#[tokio::test]
async fn what_needs_a_fresh_login_is_refused_without_one() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    let sessions = SessionLayer::new(store, secrets)
        .with_clock(clock.clone())
        .with_cookie(CookiePolicy::insecure_for_development());
    let app = routes()
        .route("/pay", post(pay).get(ask))
        .route("/confirm", post(async |session: Session| session.reauthenticate()))
        .layer(sessions);
    assert_eq!(send(&app, "POST", "/pay", "").await.0.status(), 403);
    let mut mine = cookie(&send(&app, "POST", "/login", "").await.0);
    for _ in 0..2 {
        clock.advance(Duration::from_secs(300));
        assert_eq!(send(&app, "POST", "/pay", &mine).await.1, "ada");
        assert_eq!(send(&app, "GET", "/pay", &mine).await.1, "paid");
        clock.advance(Duration::from_secs(1));
        assert_eq!(send(&app, "POST", "/pay", &mine).await.0.status(), 403);
        assert_eq!(send(&app, "GET", "/pay", &mine).await.1, "your password, please");
        mine = cookie(&send(&app, "POST", "/confirm", &mine).await.0);
    }
}
