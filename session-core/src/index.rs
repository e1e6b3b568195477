//! The index: which sessions there are, and whose.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{OwnerId, Record, Result, SessionKey, SessionStore, Timestamp};

/// Lists, counts and ends sessions by their owner. Every store of this workspace implements it.
///
/// It always agrees with the records: what it shows is live, and what is live it shows (`OWNER-02`).
/// [`SessionStream`](crate::SessionStream) goes through a listing of any length, page after page.
///
/// # Errors
///
/// All calls may refuse with [`Unavailable`](crate::Error::Unavailable) if no answer came in time, and with
/// [`Backend`](crate::Error::Backend) if the backend refuses in a way that a retry does not cure. After an error of a
/// call that removes, some records may be gone and others not; to make the same call again is always right.
#[async_trait]
pub trait SessionIndex: SessionStore {
    /// Returns one page of the live sessions in scope, without their data.
    ///
    /// Following [`Listing::next`] until it is `None` shows every session that is live all the while, and none twice.
    /// One that is rotated meanwhile may be missing or be there twice, under both keys. The order is the store's own.
    ///
    /// ```
    /// use session_core::{OwnerId, Page, Result, Scope, SessionIndex};
    ///
    /// /// What an account page shows: where else its user is logged in, fifty at most.
    /// async fn devices(store: &dyn SessionIndex, user: &OwnerId) -> Result<Vec<String>> {
    ///     let listing = store.list(Scope::Owner(user), &Page::first(50)).await?;
    ///     // More follow where `listing.next` is a cursor: `Page::first(50).after(cursor)`.
    ///     Ok(listing.sessions.iter().map(|session| format!("since {}", session.created_at)).collect())
    /// }
    /// # use session_core::{Clock, Data, Record, SessionKey, SessionStore, SystemClock};
    /// # use session_store_memory::MemoryStore;
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (store, now, ada) = (MemoryStore::new(), SystemClock.now(), OwnerId::parse("ada")?);
    /// # let record = Record::new(Data::empty(), now, now.saturating_add(std::time::Duration::from_secs(60)));
    /// # store.create(&SessionKey::parse("a")?, &record.clone().with_owner(ada.clone())).await?;
    /// # store.create(&SessionKey::parse("b")?, &record).await?;
    /// # assert_eq!(devices(&store, &ada).await?, [format!("since {now}")]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Backend`](crate::Error::Backend) also if the page is to begin at a cursor that cannot be one of this store's.
    /// A record that cannot be read is no error, and hides no other.
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing>;

    /// Returns the number of live sessions in scope.
    ///
    /// # Errors
    ///
    /// Only those that all calls have.
    async fn count(&self, scope: Scope<'_>) -> Result<u64>;

    /// Removes all records of one user except, if given, the one under `except`; returns how many live ones that ended.
    ///
    /// A session that is rotated at the same time ends too; so does the exception, if its rotation comes first, for
    /// then it is under another key.
    ///
    /// # Errors
    ///
    /// Only those that all calls have.
    #[doc(alias = "revoke")]
    #[doc(alias = "log out everywhere")]
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64>;

    /// Removes every record of this store's namespace, expired and unreadable ones too; returns how many live ones
    /// it ended.
    ///
    /// # Errors
    ///
    /// Only those that all calls have.
    #[doc(alias = "flush")]
    #[doc(alias = "purge")]
    async fn clear(&self) -> Result<u64>;
}

/// Which sessions a call of the index is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// All sessions of the store's namespace.
    All,
    /// The sessions of one user.
    Owner(&'a OwnerId),
}

/// Which page of a listing is wanted, and how long it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: u32,
    after: Option<Cursor>,
}

impl Page {
    /// Asks for the first page, of at most `limit` sessions; a limit of 0 is taken for 1.
    pub fn first(limit: u32) -> Self {
        Self { limit: limit.max(1), after: None }
    }

    /// Asks for the page that follows `cursor`, from [`Listing::next`] of a listing of the same scope.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Returns the most sessions that the page may have; at least 1.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns where the page begins; `None` for the first page.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }
}

/// A place in a listing, in the store's own words. It may travel through a URL; serde sees a string.
///
/// Any text is one until a store is asked, which refuses what cannot be its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Makes a cursor from the store's words, or from what a client sent back.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the store's words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Cursor {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One page of live sessions.
///
/// Serde writes it as `{"sessions":[…],"next":"…"}`, with [`SessionInfo`]s; `next` is `null` after the last page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// The sessions of the page; it may be short, or even empty, although more follow.
    pub sessions: Vec<SessionInfo>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

impl Listing {
    /// Makes a page, for the authors of stores.
    pub fn new(sessions: Vec<SessionInfo>, next: Option<Cursor>) -> Self {
        Self { sessions, next }
    }
}

/// What a listing tells about one live session: everything but its data.
///
/// Serde writes it as an object with the names of the fields. The times are RFC 3339, the key and the owner strings;
/// without a deadline or an owner there is `null`:
///
/// ```
/// use session_core::{OwnerId, SessionInfo, SessionKey};
///
/// let (began, ends) = ("2026-01-01T12:00:00Z".parse()?, "2026-01-01T12:30:00.5Z".parse()?);
/// let session = SessionInfo::new(SessionKey::parse("52b8f5")?, began, ends, None, Some(OwnerId::from(17)));
/// assert_eq!(
///     serde_json::to_string(&session)?,
///     r#"{"key":"52b8f5","created_at":"2026-01-01T12:00:00Z","expires_at":"2026-01-01T12:30:00.5Z","deadline":null,"owner":"17"}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// What the record is filed under.
    pub key: SessionKey,
    /// When the session began.
    pub created_at: Timestamp,
    /// The first instant at which the session is over.
    pub expires_at: Timestamp,
    /// The instant past which nobody extends the session, if there is one.
    pub deadline: Option<Timestamp>,
    /// The user that the session belongs to.
    pub owner: Option<OwnerId>,
}

impl SessionInfo {
    /// Describes a record, for the authors of stores.
    pub fn new(
        key: SessionKey,
        created_at: Timestamp,
        expires_at: Timestamp,
        deadline: Option<Timestamp>,
        owner: Option<OwnerId>,
    ) -> Self {
        Self { key, created_at, expires_at, deadline, owner }
    }

    /// Describes a whole record without its data.
    pub fn of(key: &SessionKey, record: &Record) -> Self {
        Self::new(key.clone(), record.created_at, record.expires_at, record.deadline, record.owner.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_an_object_for_serde_and_its_cursor_comes_back() {
        let key = SessionKey::parse("k").expect("it is visible");
        let session = SessionInfo::new(key, Timestamp::MIN, Timestamp::MAX, Some(Timestamp::MAX), None);
        let cursor = Cursor::new("at \"k\"");
        let page = Listing::new(vec![session], Some(cursor.clone()));
        let text =
            r#"{"sessions":[{"key":"k","created_at":"1970-01-01T00:00:00Z","expires_at":"9999-12-31T23:59:59.999Z","#
                .to_owned()
                + r#""deadline":"9999-12-31T23:59:59.999Z","owner":null}],"next":"at \"k\""}"#;
        assert_eq!(serde_json::to_string(&page).ok(), Some(text));
        let last = Listing::new(Vec::new(), None);
        assert_eq!(serde_json::to_string(&last).ok().as_deref(), Some(r#"{"sessions":[],"next":null}"#));
        assert_eq!(serde_json::from_str(r#""at \"k\"""#).ok(), Some(cursor.clone()));
        assert_eq!(
            (cursor.to_string().as_str(), cursor.as_ref(), "at \"k\"".parse()),
            ("at \"k\"", "at \"k\"", Ok(cursor.clone()))
        );
    }
}
