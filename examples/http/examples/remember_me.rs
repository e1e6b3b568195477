//! "Remember me": a session that ends with the browser or after half an hour without use, or one that lives for a month.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde::Deserialize;
use session_core::{Expiry, InvalidExpiry, SessionIndex, Sweeper};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Secrets, Session, SessionLayer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Deserialize)]
struct Credentials {
    user: String,
    /// A checkbox is sent only if it is ticked.
    remember: Option<String>,
}

async fn home(session: Session) -> String {
    session.owner().map_or("Hello, stranger".into(), |owner| format!("Hello, {owner}"))
}

/// Stands for whatever checks the password. The age is kept with the session, so it also holds for the requests that come.
async fn login(session: Session, Form(form): Form<Credentials>) -> Result<Redirect, StatusCode> {
    session.login(form.user).map_err(|_| StatusCode::BAD_REQUEST)?;
    session.set_max_age(form.remember.map(|_| 30 * DAY));
    Ok(Redirect::to("/"))
}

/// Makes the application. However much a session is used, it ends after 90 days.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Result<Router, InvalidExpiry> {
    let sessions = SessionLayer::new(store, secrets)
        .with_expiry(Expiry::idle_and_absolute(Duration::from_secs(30 * 60), 90 * DAY)?)
        .with_cookie(CookiePolicy::insecure_for_development());
    Ok(Router::new().route("/", get(home)).route("/login", post(login)).layer(sessions))
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the application without its main")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::new());
    // Expired sessions are dead at once; this frees their space.
    tokio::spawn(Sweeper::new(store.clone()).run(tokio::time::sleep, std::future::pending(), drop));
    let app = app(store, Secrets::random_for_development()?)?;
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
