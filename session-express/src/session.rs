//! The cookie of one session, in the hands of a handler.

use std::time::Duration;

use session_http::Session;

use crate::{ExpressCookie, ExpressVisit};

/// What a [`Session`] has under the rules of Express beside all that it has under every rules.
pub trait ExpressSession {
    /// Returns the session's own cookie, `req.session.cookie`; `None` under other rules.
    fn express_cookie(&self) -> Option<ExpressCookie>;

    /// Gives the session another cookie: attributes and an end of its own. It does nothing under other rules.
    ///
    /// It is stored when the session is, and is no reason to store it: with `resave: false` it is lost unless a value changes too. An
    /// attribute with which Express throws keeps the cookie from being set.
    ///
    /// ```
    /// # fn example(session: &session_express::Session) {
    /// use session_express::{ExpressSession, SecurePolicy};
    ///
    /// if let Some(cookie) = session.express_cookie() {
    ///     session.set_express_cookie(cookie.with_secure(SecurePolicy::Always));
    /// }
    /// # }
    /// ```
    fn set_express_cookie(&self, cookie: ExpressCookie);

    /// Returns how long the cookie lives from now on if nobody uses the session any more, `req.session.cookie.maxAge`; `None` without an
    /// age, and under other rules. The age that begins anew with each use is
    /// [`original_max_age`](ExpressCookie::original_max_age).
    fn express_max_age(&self) -> Option<Duration>;
}

impl ExpressSession for Session {
    fn express_cookie(&self) -> Option<ExpressCookie> {
        self.with_rules::<ExpressVisit, _>(|visit, _| visit.cookie().clone())
    }

    fn set_express_cookie(&self, cookie: ExpressCookie) {
        self.with_rules::<ExpressVisit, _>(|visit, now| visit.set_cookie(cookie, now));
    }

    fn express_max_age(&self) -> Option<Duration> {
        let stored = self.expires_at();
        self.with_rules::<ExpressVisit, _>(|visit, now| Some(visit.end(stored, now)?.saturating_since(now))).flatten()
    }
}
