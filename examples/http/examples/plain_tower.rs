//! The session layer around a tower service, served by hyper: no axum.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use session_core::{SessionIndex, Sweeper};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Secrets, Session, SessionLayer};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

type Page = Response<Full<Bytes>>;

/// Counts the visits of each browser.
async fn visits(request: Request<Incoming>) -> Result<Page, Error> {
    let session = Session::of(&request).await?;
    // Stored now, so that of twenty requests at once each has its own number.
    let visit = session.update("visits", |visits: &mut u32| {
        *visits += 1;
        Ok::<_, Infallible>(*visits)
    });
    let Ok(visit) = visit.await?;
    Ok(Response::new(Full::from(format!("visit {visit}"))))
}

/// An error of the service would close the connection, so it becomes a response: 503 with `Retry-After` for an outage.
async fn application(request: Request<Incoming>) -> Result<Page, Infallible> {
    Ok(visits(request).await.unwrap_or_else(|error| error.to_response()))
}

/// Serves until the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Arc<dyn SessionIndex>,
    secrets: Secrets,
) -> std::io::Result<()> {
    let sessions = SessionLayer::new(store, secrets).with_cookie(CookiePolicy::insecure_for_development());
    let service = sessions.layer(service_fn(application));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        // A connection that breaks is its client's business.
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await });
    }
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the application without its main")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let store = Arc::new(MemoryStore::new());
    // Expired sessions are dead at once; this frees their space.
    tokio::spawn(Sweeper::new(store.clone()).run(tokio::time::sleep, std::future::pending(), drop));
    serve(listener, store, Secrets::random_for_development()?).await?;
    Ok(())
}
