//! What every response says to the browser, whatever is in it.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::page::STYLE;
use crate::refusal::Refusal;

/// No script, no frame, nothing from elsewhere: only our own style sheet, named by its hash, and our own forms.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    // Base64 and the words around it are visible ASCII.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Adds the headers to a response. Pages are about one person, so nobody keeps them, the back button included.
pub(crate) async fn add(mut response: Response) -> Response {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.clone());
    response
}

/// Refuses a form that another site made the browser send. `SameSite=Lax` keeps the cookie out of those anyway; this
/// keeps others from logging a visitor in under a name of theirs. A program without a browser says nothing and passes.
pub(crate) async fn refuse_cross_site(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && is_cross_site(request.headers()) {
        return Refusal::CrossSite.into_response();
    }
    next.run(request).await
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (says("sec-fetch-site"), says("origin"), says("host")) {
        (Some(site), _, _) => !matches!(site, "same-origin" | "none"),
        // Browsers without the first header, and all of them over plain HTTP to another machine.
        (None, Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        (None, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&'static str, &'static str)]) -> bool {
        let pairs = pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_cross_site(&pairs.collect())
    }

    #[test]
    fn only_a_form_of_another_site_is_refused() {
        assert!(!refused(&[("host", "a.example")]));
        assert!(!refused(&[("sec-fetch-site", "same-origin"), ("host", "a.example")]));
        assert!(!refused(&[("sec-fetch-site", "none")]));
        assert!(!refused(&[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:3000")]));
        assert!(refused(&[("sec-fetch-site", "cross-site"), ("host", "a.example")]));
        assert!(refused(&[("sec-fetch-site", "same-site")]));
        assert!(refused(&[("origin", "https://b.example"), ("host", "a.example")]));
        assert!(refused(&[("origin", "null"), ("host", "a.example")]));
    }
}
