//! Behind the layer of tower: sessions that no handler asks for, layers on different paths, and routers that take a part of the path away.

mod support;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::{Router, routing::post};
use conformance_tests::traces;
use http::{Request, Response, StatusCode};
use session_core::{Scope, SessionIndex};
use session_express::{Error, Express, ExpressCookie, Session};
use session_store_memory::MemoryStore;
use session_tower::SessionLayer;
use support::{eager, keep_out, lean, line};
use tower::{Layer, ServiceExt, service_fn};

fn layer(store: &Arc<MemoryStore>, express: Express) -> SessionLayer<session_express::ExpressRules> {
    traces::capture();
    express.config(store.clone()).expect("the options build").into()
}

fn request(path: &str) -> Request<String> {
    Request::builder().uri(path).body(String::new()).expect("the test's request is valid")
}

#[tokio::test]
async fn a_session_that_no_handler_asks_for_is_saved_as_express_does() {
    let store = Arc::new(MemoryStore::new());
    let quiet = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let response = layer(&store, eager()).layer(quiet).oneshot(request("/")).await.expect("it answers");
    keep_out(response.headers());
    let line = line(response.headers()).expect("a session begins");
    assert!(line.starts_with("connect.sid=s%3A") && line.ends_with("; Path=/; HttpOnly"), "{line}");
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_layer_leaves_paths_that_are_not_its_own_to_the_one_around_it() {
    let (outer_store, inner_store) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let admin = eager().with_name("admin").with_cookie(ExpressCookie::new().with_path("/admin"));
    let site = eager().without_save_uninitialized();
    for (path, of_outer, of_inner) in [("/shop", 1, 0), ("/admin/users", 0, 1)] {
        let handler = service_fn(async |request: Request<String>| {
            Session::of(&request).await?.set("n", &1)?;
            Ok::<_, Error>(Response::new(String::new()))
        });
        let inner = layer(&inner_store, admin.clone()).layer(handler);
        let service = layer(&outer_store, site.clone()).layer(inner);
        service.oneshot(request(path)).await.expect("there is a session");
        for (store, live) in [(&outer_store, of_outer), (&inner_store, of_inner)] {
            assert_eq!(store.clear().await.expect("it clears"), live, "{path}");
        }
    }
    let handler =
        service_fn(async |request: Request<String>| Session::of(&request).await.map(|_| Response::new(String::new())));
    let refused = layer(&inner_store, admin).layer(handler).oneshot(request("/shop")).await;
    assert!(matches!(refused.map(drop), Err(Error::OutsidePath)));
}

/// Asks an application whose routes are nested under `/app`, with the layer inside, for `/app/cart`.
async fn send_nested(path_of_cookie: &str) -> Response<Body> {
    let options = lean().with_cookie(ExpressCookie::new().with_path(path_of_cookie));
    let add = async |session: Session| session.set("n", &1);
    let inner = Router::new().route("/cart", post(add)).layer(layer(&Arc::new(MemoryStore::new()), options));
    let request = Request::post("/app/cart").body(Body::empty()).expect("the test's request is valid");
    let Ok(response) = Router::new().nest("/app", inner).oneshot(request).await;
    keep_out(response.headers());
    response.map(Body::new)
}

#[tokio::test]
async fn the_path_is_the_one_that_was_asked_for() {
    // As `originalUrl` is.
    let response = send_nested("/app").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(line(response.headers()).is_some());
}

#[tokio::test]
async fn what_is_left_of_the_path_is_not_the_cookies() {
    let response = send_nested("/cart").await;
    assert!(line(response.headers()).is_none());
}
