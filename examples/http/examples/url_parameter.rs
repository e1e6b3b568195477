//! A transport of one's own: the id as a parameter of the URL.
//!
//! **Do not do this** where there is any other way. A URL is kept in the browser's history, in bookmarks, and in the logs of every
//! server and proxy on the way; it is sent to other sites as `Referer`, shown on screens, and pasted into mails and chats. Whoever gets one
//! has the session. Somebody can also send a link with an id of their own, and read later what the other one did under it. That is
//! why no browser session belongs there and why this library has no such transport, only the place for one: for devices that keep no
//! cookies and send no headers.
//!
//! What this one does about it: pages are not cached and send no `Referer`, a session in a URL lives for ten minutes, nobody can log in
//! under it, and only ids that this server signed are looked up at all.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use session_core::{Expiry, InvalidExpiry, SessionIndex, Sweeper};
use session_store_memory::MemoryStore;
use session_tower::{Error, News, Presented, Secrets, Session, SessionLayer, Transport};

const NAME: &str = "sid";

/// The parameter `sid`. A new id is told by the `Location` of a redirect; links of pages carry it on themselves.
#[derive(Debug)]
struct InUrl;

impl Transport for InUrl {
    fn find<'r>(&self, uri: &'r Uri, _headers: &'r HeaderMap) -> Presented<'r> {
        // All of them: a URL with two ids has none.
        values(uri.query()).map(str::as_bytes).collect()
    }

    fn tell(&self, news: &News<'_>, headers: &mut HeaderMap) {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        let Some(location) = headers.get(header::LOCATION).and_then(|location| location.to_str().ok()) else { return };
        let location = match news {
            News::Issued { value, .. } => link(location, Some(value)),
            _ => link(location, None),
        };
        if let Ok(location) = HeaderValue::from_str(&location) {
            headers.insert(header::LOCATION, location);
        }
    }

    fn varies_by(&self) -> Option<HeaderName> {
        // It is in no header, so no cache may keep what was made for it.
        None
    }
}

/// Returns the values of the parameter. A signed id has no character that a URL escapes.
fn values(query: Option<&str>) -> impl Iterator<Item = &str> {
    let pairs = query.unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == NAME).map(|(_, value)| value)
}

/// Makes a link to a path without other parameters that carries the id.
fn link(path: &str, id: Option<&str>) -> String {
    let path = path.split('?').next().unwrap_or_default();
    id.map_or_else(|| path.to_owned(), |id| format!("{path}?{NAME}={id}"))
}

async fn page(uri: Uri, session: Session) -> Result<(HeaderMap, Html<String>), Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let count: u32 = session.get("count")?.unwrap_or_default();
    // What came is put into the page only if it was an id that we signed, which has no special characters.
    let id = values(uri.query()).next().filter(|_| !session.is_new());
    let action = link("/count", id);
    Ok((headers, Html(format!("<form method=post action=\"{action}\">{count} <button>one more</button></form>"))))
}

async fn count(uri: Uri, session: Session) -> Result<Redirect, Error> {
    session.modify("count", |count: &mut u32| *count += 1)?;
    let id = values(uri.query()).next().filter(|_| !session.is_new());
    Ok(Redirect::to(&link("/", id)))
}

/// Makes the application.
pub(crate) fn app(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Result<Router, InvalidExpiry> {
    let sessions = SessionLayer::new(store, secrets)
        .with_transport(InUrl)
        .with_expiry(Expiry::absolute(Duration::from_secs(10 * 60))?);
    Ok(Router::new().route("/", get(page)).route("/count", post(count)).layer(sessions))
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
