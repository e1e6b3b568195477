//! The body of a response: the application's, or the text of a refusal.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that came through a [`SessionLayer`](crate::SessionLayer): the application's, of whatever type that is, or the
    /// text of the response that took its place, as its session could not be stored.
    ///
    /// A test that asks a service for its response finds the application's body in it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use http::{Request, Response};
    /// use session_store_memory::MemoryStore;
    /// use session_tower::{Secrets, SessionLayer};
    /// use std::{convert::Infallible, sync::Arc};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// let hello = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new("hello")));
    /// let sessions = SessionLayer::new(Arc::new(MemoryStore::new()), Secrets::random_for_development()?);
    /// let response = sessions.layer(hello).oneshot(Request::new(())).await?;
    /// assert_eq!(response.into_body().into_inner(), Ok("hello"));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone)]
    pub struct SessionBody<B> {
        // `None` in a refusal.
        #[pin]
        application: Option<B>,
        refusal: String,
    }
}

impl<B> SessionBody<B> {
    pub(crate) fn application(body: B) -> Self {
        Self { application: Some(body), refusal: String::new() }
    }

    pub(crate) fn refusal(text: String) -> Self {
        Self { application: None, refusal: text }
    }

    /// Returns the application's body, or the text of the refusal that took its place.
    ///
    /// # Errors
    ///
    /// The text, which is empty unless [`with_refusal`](crate::SessionLayer::with_refusal) says otherwise.
    pub fn into_inner(self) -> Result<B, String> {
        self.application.ok_or(self.refusal)
    }

    /// Looks at the same.
    ///
    /// # Errors
    ///
    /// As [`into_inner`](SessionBody::into_inner).
    pub fn as_inner(&self) -> Result<&B, &str> {
        self.application.as_ref().ok_or(&self.refusal)
    }
}

/// The application's, empty: what a layer answers with that takes the place of this one's response.
impl<B: Default> Default for SessionBody<B> {
    fn default() -> Self {
        Self::application(B::default())
    }
}

impl<B> Body for SessionBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(body) = this.application.as_pin_mut() {
            return body.poll_frame(context);
        }
        let text = std::mem::take(this.refusal);
        Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(Bytes::from(text).into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.as_inner().map_or_else(str::is_empty, Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.as_inner().map_or_else(|text| SizeHint::with_exact(text.len() as u64), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn the_applications_body_passes() {
        let body = SessionBody::application("hello".to_owned());
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
        assert_eq!(body.collect().await.expect("it is in memory").to_bytes(), "hello");
    }

    #[tokio::test]
    async fn a_refusal_is_its_text() {
        let body = SessionBody::<String>::refusal("no".to_owned());
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
        assert_eq!(body.collect().await.expect("it is in memory").to_bytes(), "no");
    }

    #[tokio::test]
    async fn a_refusal_without_a_text_is_empty() {
        let body = SessionBody::<String>::refusal(String::new());
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
        assert!(body.collect().await.expect("it is in memory").to_bytes().is_empty());
    }
}
