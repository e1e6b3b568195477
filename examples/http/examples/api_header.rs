//! An API for programs and mobile clients: the id travels in the header `session-id`, and no cookie is set.
//!
//! ```sh
//! curl -i -X POST 127.0.0.1:3000/login -d user=ada                      # the response has a session-id
//! curl -H 'session-id: …' 127.0.0.1:3000/cart                           # what the client sends from then on
//! ```
//!
//! A response that has the header gives a new id, which takes the place of the old one; an empty one says that the session has ended.

use std::sync::Arc;

use axum::extract::Form;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use session_core::{SessionIndex, Sweeper};
use session_store_memory::MemoryStore;
use session_tower::{Error, HeaderTransport, Secrets, Session, SessionLayer};

#[derive(Deserialize)]
struct User {
    user: String,
}

/// Stands for whatever proves who the client is.
async fn login(session: Session, Form(form): Form<User>) -> Result<StatusCode, StatusCode> {
    session.login(form.user).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn logout(session: Session) -> StatusCode {
    session.logout();
    StatusCode::NO_CONTENT
}

async fn cart(session: Session) -> Result<Json<Vec<String>>, Error> {
    Ok(Json(session.get("cart")?.unwrap_or_default()))
}

async fn add(session: Session, Json(item): Json<String>) -> Result<StatusCode, Error> {
    session.modify("cart", move |cart: &mut Vec<String>| cart.push(item.clone()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the application.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Router {
    let sessions = SessionLayer::new(store, secrets).with_transport(HeaderTransport::default());
    Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/cart", get(cart).post(add))
        .layer(sessions)
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the application without its main")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::new());
    // Expired sessions are dead at once; this frees their space.
    tokio::spawn(Sweeper::new(store.clone()).run(tokio::time::sleep, std::future::pending(), drop));
    let app = app(store, Secrets::random_for_development()?);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
