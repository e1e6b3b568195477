//! Requests whose response is never sent, because the client went away or the service failed.

use std::future::pending;
use std::sync::{Arc, Weak};

use http::{Request, Response, header};
use session_core::{Scope, SessionIndex};
use session_store_memory::MemoryStore;
use session_tower::{Error, Secrets, Session, SessionLayer};
use tokio::sync::oneshot;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

fn layer(store: &Arc<MemoryStore>) -> SessionLayer {
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    SessionLayer::new(store.clone(), secrets)
}

fn request(cookie: &str) -> Request<()> {
    Request::builder().header(header::COOKIE, cookie).body(()).expect("the test's request is valid")
}

/// Makes a session with a cart, and returns its cookie.
async fn cart(layer: &SessionLayer) -> String {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        Session::of(&request).await?.set("cart", "tea")?;
        Ok::<_, BoxError>(Response::new(()))
    }));
    let response = service.oneshot(request("")).await.expect("it answers");
    let line = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    line.split(';').next().unwrap_or_default().to_owned()
}

/// Runs a handler that hands its session out, and then fails or never answers; the request is over when this returns.
async fn drop_request(layer: &SessionLayer, cookie: &str, fails: bool) -> Session {
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let mut service = layer.layer(service_fn(move |request: Request<()>| {
        let send = send.take();
        async move {
            let session = Session::of(&request).await?;
            session.rotate();
            session.login("ada")?;
            let _ = send.expect("it is called once").send(session);
            if fails {
                return Err("the application broke".into());
            }
            pending::<Result<Response<()>, BoxError>>().await
        }
    }));
    let answer = service.call(request(cookie));
    tokio::select! {
        biased;
        answer = answer => assert!(answer.is_err()),
        () = std::future::ready(()) => {}
    }
    receive.await.expect("the handler got its session")
}

#[tokio::test]
async fn a_task_that_goes_on_stores_its_data_and_changes_no_id() {
    for fails in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let layer = layer(&store);
        let cookie = cart(&layer).await;
        let session = drop_request(&layer, &cookie, fails).await;
        session.set("late", &1).expect("a number is JSON");
        session.save().await.expect("the store works");
        assert!(matches!(session.login("ada"), Err(Error::HeadSent)));
        let there = drop_request(&layer, &cookie, fails).await;
        // What it wished for is forgotten, so it shows what is stored.
        assert_eq!((there.keys(), there.owner()), (vec!["cart".to_owned(), "late".to_owned()], None));
        assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
    }
}

#[tokio::test]
async fn a_closure_that_holds_its_session_is_let_go() {
    let layer = layer(&Arc::default());
    let held: Arc<()> = Arc::default();
    let weak: Weak<()> = Arc::downgrade(&held);
    let mut held = Some(held);
    let mut service = layer.layer(service_fn(move |request: Request<()>| {
        let held = held.take();
        async move {
            let session = Session::of(&request).await?;
            let own = session.clone();
            session.modify("n", move |n: &mut u8| *n = u8::from(own.is_new() && held.is_some()))?;
            pending::<Result<Response<()>, BoxError>>().await
        }
    }));
    let mut answer = Box::pin(service.call(request("")));
    tokio::select! {
        biased;
        _ = &mut answer => panic!("it never answers"),
        () = std::future::ready(()) => assert_eq!(weak.strong_count(), 1),
    }
    drop(answer);
    assert_eq!(weak.strong_count(), 0);
}
