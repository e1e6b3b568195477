//! Log in and out, see and end one's sessions, and change the password only after a fresh login.

use std::sync::Arc;

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde::Deserialize;
use session_core::{SessionIndex, SessionKey, Sweeper};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Fresh, Secrets, Session, SessionLayer, SessionLimit};

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
    if !is_right(&credentials) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    session.login(credentials.user).map_err(|error| error.status())?;
    Ok(Redirect::to("/"))
}

/// If the store cannot do it, the response is a 503 in place of this one.
async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/")
}

/// "Your devices": the keys let nobody in, so they may be in a page.
async fn devices(session: Session) -> Result<String, Error> {
    let own = session.key();
    let line = |key: &SessionKey| format!("{key}{}\n", if own.as_ref() == Some(key) { " (this one)" } else { "" });
    Ok(session.sessions().await?.iter().map(|info| line(&info.key)).collect())
}

/// Ends one of the user's own sessions; the key of somebody else's does nothing.
async fn end_device(session: Session, Form(device): Form<Device>) -> Result<Redirect, Error> {
    if let Ok(key) = SessionKey::parse(&device.key) {
        session.end_session(&key).await?;
    }
    Ok(Redirect::to("/devices"))
}

/// Who logged in more than five minutes ago gets a 403. If somebody else who has the id was faster, nothing is ended and the response is a 409.
async fn change_password(session: Fresh<300>) -> Result<String, Error> {
    let ended = session.end_other_sessions().await?;
    Ok(format!("changed, and {ended} other sessions ended"))
}

/// Makes the application; at most five sessions for each user.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Router {
    let sessions = SessionLayer::new(store, secrets)
        .with_session_limit(SessionLimit::end_oldest(5))
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
    let store = Arc::new(MemoryStore::new());
    // Expired sessions are dead at once; this frees their space.
    tokio::spawn(Sweeper::new(store.clone()).run(tokio::time::sleep, std::future::pending(), drop));
    let app = app(store, Secrets::random_for_development()?);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
