//! Log in and out, see and end one's sessions, and change the password only after a fresh login.

use std::sync::Arc;

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde::Deserialize;
use session_core::{OwnerId, SessionIndex, SessionKey};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Fresh, Rejection, Secrets, Session, SessionLayer, SessionLimit};

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct Device {
    key: String,
}

/// Stands for a table of users with password hashes.
fn is_right(credentials: &Credentials) -> bool {
    credentials.user == "ada" && credentials.password == "lovelace"
}

async fn home(session: Session) -> String {
    session.owner().map_or("Hello, stranger".into(), |owner| format!("Hello, {owner}"))
}

/// The id changes with the login, and the old one is dead when this has been answered.
async fn login(session: Session, Form(credentials): Form<Credentials>) -> Result<Redirect, StatusCode> {
    let owner = OwnerId::parse(&credentials.user).map_err(|_| StatusCode::BAD_REQUEST)?;
    if !is_right(&credentials) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    session.login(owner);
    Ok(Redirect::to("/"))
}

/// If the store cannot do it, the response is a 503 in place of this one.
async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/")
}

/// "Your devices": the keys let nobody in, so they may be in a page.
async fn devices(session: Session) -> Result<String, Rejection> {
    let own = session.key();
    let line = |key: &SessionKey| format!("{key}{}\n", if own.as_ref() == Some(key) { " (this one)" } else { "" });
    Ok(session.sessions().await?.iter().map(|info| line(&info.key)).collect())
}

/// Ends one of the user's own sessions; the key of somebody else's does nothing.
async fn end_device(session: Session, Form(device): Form<Device>) -> Result<Redirect, Rejection> {
    if let Ok(key) = SessionKey::parse(&device.key) {
        session.end_session(&key).await?;
    }
    Ok(Redirect::to("/devices"))
}

/// Who logged in more than five minutes ago gets a 403.
async fn change_password(session: Fresh<300>) -> Result<String, Rejection> {
    let ended = session.end_other_sessions().await?;
    Ok(format!("changed, and {ended} other sessions ended"))
}

/// Makes the application; at most five sessions for each user.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Router {
    let sessions = SessionLayer::new(store.clone(), secrets)
        .with_session_limit(store, SessionLimit::end_oldest(5))
        // Without this line the cookie is sent over HTTPS only.
        .with_cookie(CookiePolicy::insecure_for_development());
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/devices", get(devices).post(end_device))
        .route("/password", post(change_password))
        .layer(sessions)
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the application without its main")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(Arc::new(MemoryStore::new()), Secrets::random_for_development()?);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
