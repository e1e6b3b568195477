//! The session of a request that came through a layer.

use http::{Extensions, HeaderMap, Request};

use crate::{Error, Session, SessionSlot};

impl Session {
    /// Loads the session that a request presents, which came through a layer. Asked again, by anyone within the request, it is the same one.
    ///
    /// # Errors
    ///
    /// [`Error::MissingLayer`], and what [`SessionSlot::open`] refuses with.
    pub fn of<B>(request: &Request<B>) -> impl Future<Output = Result<Self, Error>> + Send {
        // The body is not part of the future, so it need not be `Sync`.
        Self::open(request.extensions(), request.headers())
    }

    /// Loads the session from the parts of a request.
    ///
    /// # Errors
    ///
    /// As [`of`](Session::of).
    pub async fn open(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, Error> {
        let slot = extensions.get::<SessionSlot>().ok_or(Error::MissingLayer)?;
        slot.open(headers).await
    }
}
