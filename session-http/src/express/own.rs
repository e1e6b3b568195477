//! The cookie of one session, in the hands of a handler.

use crate::Session;

use super::ExpressCookie;

impl Session {
    /// Returns the session's own cookie under the rules of [Express](crate::express), `req.session.cookie`; `None` under others.
    pub fn express_cookie(&self) -> Option<ExpressCookie> {
        self.0.state().ledger.as_ref().map(|ledger| ledger.cookie.clone())
    }

    /// Gives the session another cookie: attributes and an end of its own. It does nothing under other rules than those of
    /// [Express](crate::express).
    ///
    /// It is stored when the session is, and is no reason to store it: with `resave: false` it is lost unless a value changes too. An
    /// attribute with which Express throws keeps the cookie from being set.
    ///
    /// ```
    /// # fn example(session: &session_http::Session) {
    /// use session_http::SecurePolicy;
    ///
    /// if let Some(cookie) = session.express_cookie() {
    ///     session.set_express_cookie(cookie.with_secure(SecurePolicy::Always));
    /// }
    /// # }
    /// ```
    pub fn set_express_cookie(&self, cookie: ExpressCookie) {
        let now = self.0.config.now();
        if let Some(ledger) = &mut self.0.state().ledger {
            ledger.cookie = cookie.set(now);
        }
    }
}
