//! The rules of Express behind the layer: sessions that no handler asks for, and layers on different paths.

use std::convert::Infallible;
use std::sync::Arc;

use conformance_tests::traces;
use http::{Request, Response, header};
use session_core::{Scope, SessionIndex};
use session_store_memory::MemoryStore;
use session_tower::express::{Express, ExpressCookie};
use session_tower::{Rejection, Session, SessionConfig, SessionLayer};
use tower::{Layer, ServiceExt, service_fn};

fn layer(store: &Arc<MemoryStore>, express: Express) -> SessionLayer {
    traces::capture();
    SessionConfig::express(store.clone(), express).expect("the options build").into()
}

fn express() -> Express {
    Express::new(["keyboard cat"]).expect("it is not empty")
}

fn request(path: &str) -> Request<String> {
    Request::builder().uri(path).body(String::new()).expect("the test's request is valid")
}

#[tokio::test]
async fn a_session_that_no_handler_asks_for_is_saved_as_express_does() {
    let store = Arc::new(MemoryStore::new());
    let quiet = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let response = layer(&store, express()).layer(quiet).oneshot(request("/")).await.expect("it answers");
    let line = response.headers()[header::SET_COOKIE].to_str().expect("it is text");
    line.trim_start_matches("connect.sid=s%3A").split(['.', ';']).take(2).for_each(traces::keep_out);
    assert!(line.starts_with("connect.sid=s%3A") && line.ends_with("; Path=/; HttpOnly"), "{line}");
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_layer_leaves_paths_that_are_not_its_own_to_the_one_around_it() {
    let (outer_store, inner_store) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let admin = express().with_name("admin").with_cookie(ExpressCookie::new().with_path("/admin"));
    let site = express().without_save_uninitialized();
    for (path, of_outer, of_inner) in [("/shop", 1, 0), ("/admin/users", 0, 1)] {
        let handler = service_fn(async |request: Request<String>| {
            Session::of(&request).await?.set("n", &1)?;
            Ok::<_, Rejection>(Response::new(String::new()))
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
    assert_eq!(refused.expect_err("there is no session").to_response::<()>().status(), 500);
}
