//! The application: its addresses, and what surrounds them.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use session_core::SessionStore;
use session_tower::{SessionConfig, SessionLayer};

use crate::refusal::Refusal;
use crate::{headers, log, routes};

/// A form is short.
const MOST_BODY_BYTES: usize = 16 * 1024;

/// What the addresses share.
#[derive(Clone)]
pub(crate) struct App {
    /// The store that the session layer uses too, for what is about other sessions than the one of the request.
    pub(crate) store: Arc<dyn SessionStore>,
    /// What the page calls the store.
    pub(crate) store_title: Arc<str>,
}

/// Builds the application.
pub(crate) fn router(app: App, config: SessionConfig) -> Router {
    Router::new()
        .route("/", get(routes::home))
        .route("/login", post(routes::login))
        .route("/logout", post(routes::logout))
        .route("/cart", post(routes::add_to_cart))
        .route("/logout-others", post(routes::end_others))
        .route("/devices/end", post(routes::end_device))
        .route("/api/session", get(routes::session_as_json))
        .with_state(app)
        .layer(SessionLayer::from(config))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        // The last one is the outermost.
        .layer(middleware::from_fn(headers::refuse_cross_site))
        .layer(middleware::map_response(headers::add))
        .layer(middleware::from_fn(log::request))
}
