//! The index: which sessions there are, and whose.

use async_trait::async_trait;

use crate::{OwnerId, Record, Result, SessionKey, SessionStore, Timestamp};

/// Lists, counts and ends sessions by their owner. Every store of this workspace implements it.
///
/// It always agrees with the records: what it shows is live, and what is live it shows (`OWNER-02`).
#[async_trait]
pub trait SessionIndex: SessionStore {
    /// Returns one page of the live sessions in scope, without their data.
    ///
    /// Following [`Listing::next`] until it is `None` shows every session that is live all the while, and none twice.
    /// One that is rotated meanwhile may be missing or be there twice, under both keys. The order is the store's own.
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing>;

    /// Returns the number of live sessions in scope.
    async fn count(&self, scope: Scope<'_>) -> Result<u64>;

    /// Removes all records of one user except, if given, the one under `except`; returns how many live ones that ended.
    ///
    /// A session that is rotated at the same time ends too; so does the exception, if its rotation comes first, for
    /// then it is under another key.
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64>;

    /// Removes every record of this store's namespace, expired and unreadable ones too; returns how many live ones
    /// it ended.
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

/// A place in a listing, in the store's own words. It may travel through a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// One page of live sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
