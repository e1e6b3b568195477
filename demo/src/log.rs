//! What the terminal shows: one line per request, and what the session crates tell about themselves.

use std::io::{self, IsTerminal as _};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// With the merging of changes, which is what races by hand are about.
const DEFAULT_FILTER: &str = "info,session_http=debug";

/// Starts writing events to standard error; `filter` is what `RUST_LOG` says, if anything.
pub(crate) fn start(filter: Option<&str>) -> Result<(), ParseError> {
    let filter: Targets = filter.unwrap_or(DEFAULT_FILTER).parse()?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(lines).with(filter).init();
    Ok(())
}

/// Writes a line about a request when it has been answered. Neither the query nor a header nor the form is in it.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let start = Instant::now();
    let response = next.run(request).await;
    tracing::info!("{method} {path}: {} after {} ms", response.status().as_u16(), start.elapsed().as_millis());
    response
}
