//! What sessions hold, encrypted before the store sees it. Here the store is memory; it may be every other one.

use std::sync::Arc;

use axum::Router;
use axum::extract::Form;
use axum::routing::get;
use serde::Deserialize;
use session_core::{SessionIndex, Sweeper};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Secrets, Session, SessionLayer};

#[derive(Deserialize)]
struct Note {
    note: String,
}

async fn show(session: Session) -> Result<String, Error> {
    Ok(session.get("note")?.unwrap_or_default())
}

async fn keep(session: Session, Form(Note { note }): Form<Note>) -> Result<(), Error> {
    session.set("note", &note)
}

/// Puts the encryption around a store. The key is the output of `openssl rand -hex 32`, from wherever the application keeps its secrets;
/// to change it, a new one is put in front.
pub(crate) fn encrypted<S: SessionIndex>(store: S, key: &str) -> Result<EncryptedStore<S>, Box<dyn std::error::Error>> {
    let keys = EncryptionKeys::new([EncryptionKey::from_hex("2026-11", key)?])?;
    Ok(EncryptedStore::new(store, "notes", keys))
}

/// Makes the application. It does not know that its store encrypts.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Router {
    let sessions =
        SessionLayer::new(store, secrets).with_namespace("notes").with_cookie(CookiePolicy::insecure_for_development());
    Router::new().route("/note", get(show).post(keep)).layer(sessions)
}

#[tokio::main]
#[allow(dead_code, reason = "the tests use the application without its main")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(encrypted(MemoryStore::new(), &std::env::var("SESSION_ENCRYPTION_KEY")?)?);
    // Expired sessions are dead at once; this frees their space.
    tokio::spawn(Sweeper::new(store.clone()).run(tokio::time::sleep, std::future::pending(), drop));
    let app = app(store, Secrets::random_for_development()?);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
