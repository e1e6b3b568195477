//! A cookie that is chosen for each request costs no copy of a request that never asks for its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::Request;
use session_http::{CookiePolicy, SessionSlot};

use crate::support::App;

/// An extension of a request that counts how often it is copied.
#[derive(Default)]
struct Copied(Arc<AtomicU32>);

impl Clone for Copied {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

#[tokio::test]
async fn a_request_that_never_asks_for_its_session_is_not_copied_for_the_choice_of_its_cookie() {
    let app = App::with(|config| config.with_cookie_of(|_| CookiePolicy::default()));
    let copies = Arc::new(AtomicU32::new(0));
    let request = Request::builder().uri("/style.css").extension(Copied(copies.clone())).body(());
    let slot = SessionSlot::for_request(app.config.clone(), &request.expect("the test's request is valid"));
    drop(slot.commit().await.expect("nothing is stored"));
    assert_eq!(copies.load(Ordering::Relaxed), 0);
}
