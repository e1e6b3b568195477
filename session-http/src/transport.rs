//! How the id travels between a client and the application: as a cookie, in a header, or in a way of one's own.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Uri};

use crate::cookie::secret_header;

/// How the id travels, where that is not a cookie: [`HeaderTransport`], or one's own.
///
/// A transport finds text in a request and puts text into a response. What the text is, signs and checks the
/// configuration: a transport never sees whether a session exists, and nothing that it finds reaches the store
/// without a valid signature. The text consists of characters that need no escape in a cookie, a header or a URL.
///
/// An id in a URL is such a transport, and none that this library has: URLs are kept in histories, logs and bookmarks, sent
/// to other sites as `Referer`, and pasted into mails, and whoever has one is that user.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Finds what a request presents, without any I/O: collect all places where it may stand into the [`Presented`].
    fn find<'r>(&self, uri: &'r Uri, headers: &'r HeaderMap) -> Presented<'r>;

    /// Tells the client its new id, or that it has none any more. Called only for a response that has to tell one.
    fn tell(&self, news: &News<'_>, headers: &mut HeaderMap);

    /// Returns the request's header in which the id travels, for `Vary`. Without one, no cache keeps a response whose session was
    /// read.
    fn varies_by(&self) -> Option<HeaderName>;
}

/// What a request presents as the id of its session; collected from all places where it may stand.
///
/// Of several texts, those that have no valid signature do not count; and of several sessions, the one that is live (S9). So many that nobody
/// can mean it are none.
#[derive(Clone, Copy, Default)]
pub struct Presented<'r> {
    texts: [&'r [u8]; Presented::MOST],
    many: usize,
}

impl<'r> Presented<'r> {
    /// The most texts of one request that are looked at; with more there is none.
    pub const MOST: usize = 16;

    /// Returns the texts in their order; none if there are more than [`MOST`](Presented::MOST).
    pub fn texts(&self) -> &[&'r [u8]] {
        &self.texts[..self.many]
    }
}

/// What a client has to know after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum News<'n> {
    /// It presents this text from now on: the id with its signature.
    Issued {
        /// The text.
        value: &'n str,
        /// How long the session lives if nobody uses it.
        lives_for: Duration,
    },
    /// Its session has ended, and it forgets the text that it has.
    Ended,
}

/// The id in a header, for APIs and mobile clients: requests present it, and a response that gives a new one tells it under the
/// same name; an empty value says that the session has ended.
///
/// Scripts can read it, where they cannot read the cookie; and no browser sends it by itself, so no other site can.
/// A client of another origin sees it only with `Access-Control-Expose-Headers`.
///
/// ```
/// use session_http::{HeaderTransport, Secrets, SessionConfig};
/// use session_store_memory::MemoryStore;
/// use std::sync::Arc;
///
/// let config = SessionConfig::new(Arc::new(MemoryStore::new()), Secrets::random_for_development()?)
///     .with_transport(HeaderTransport::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTransport {
    name: HeaderName,
}

impl HeaderTransport {
    /// Takes the header's name.
    pub fn new(name: HeaderName) -> Self {
        Self { name }
    }

    /// Returns the header's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }
}

impl Default for HeaderTransport {
    /// Uses the header `session-id`.
    fn default() -> Self {
        Self::new(HeaderName::from_static("session-id"))
    }
}

impl Transport for HeaderTransport {
    fn find<'r>(&self, _uri: &'r Uri, headers: &'r HeaderMap) -> Presented<'r> {
        // An empty header is what a client sends that was told to forget its id.
        headers
            .get_all(&self.name)
            .iter()
            .map(|value| value.as_bytes().trim_ascii())
            .filter(|id| !id.is_empty())
            .collect()
    }

    fn tell(&self, news: &News<'_>, headers: &mut HeaderMap) {
        let value = match news {
            News::Issued { value, .. } => value,
            News::Ended => "",
        };
        if let Some(value) = secret_header(value) {
            headers.insert(self.name.clone(), value);
        }
    }

    fn varies_by(&self) -> Option<HeaderName> {
        Some(self.name.clone())
    }
}

impl<'r> FromIterator<&'r [u8]> for Presented<'r> {
    fn from_iter<I: IntoIterator<Item = &'r [u8]>>(texts: I) -> Self {
        let mut presented = Self::default();
        for text in texts {
            let Some(place) = presented.texts.get_mut(presented.many) else { return Self::default() };
            *place = text;
            presented.many += 1;
        }
        presented
    }
}

impl PartialEq for Presented<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl Eq for Presented<'_> {}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({} redacted)", self.many)
    }
}

impl fmt::Debug for News<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued { lives_for, .. } => {
                f.debug_struct("Issued").field("lives_for", lives_for).finish_non_exhaustive()
            }
            Self::Ended => f.write_str("Ended"),
        }
    }
}
