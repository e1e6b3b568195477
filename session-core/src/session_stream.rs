//! All sessions of a listing, one after the other.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::{Cursor, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionInfo};

/// The live sessions of a store or of a user, one after the other: a [`Stream`] over the pages of
/// [`SessionIndex::list`].
///
/// The next page is asked for when the one before has been handed out, so no more than one is held in memory, and
/// whoever stops early asks for no more. [`next`](SessionStream::next) is for those who have no library for streams at hand.
///
/// It promises what the pages promise: every session that is live all the while comes once. One that begins or ends
/// meanwhile may come or not, and one that comes may have ended since its page was read. One that is rotated meanwhile
/// may be missing or come twice, under its old key and its new one: who has to end all sessions of a user calls
/// [`delete_owned`](SessionIndex::delete_owned), which misses none.
///
/// After an error it is over: what came until then is not all.
///
/// ```
/// use session_core::{OwnerId, Result, Scope, SessionIndex, SessionStream};
///
/// /// Counts the users who are logged in now, however many there are.
/// async fn users(store: impl SessionIndex + 'static) -> Result<usize> {
///     let mut sessions = SessionStream::of(store, Scope::All);
///     let mut users = std::collections::HashSet::new();
///     while let Some(session) = sessions.next().await {
///         users.extend(session?.owner);
///     }
///     Ok(users.len())
/// }
/// # use session_core::{Clock, Data, Record, SessionKey, SessionStore, SystemClock};
/// # use session_store_memory::MemoryStore;
/// #
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (MemoryStore::new(), SystemClock.now());
/// # let record = Record::new(Data::empty(), now, now.saturating_add(std::time::Duration::from_secs(60)));
/// # for number in 0..7 {
/// #     let record = record.clone().with_owner(OwnerId::from(number / 2));
/// #     store.create(&SessionKey::parse(&format!("k{number}"))?, &record).await?;
/// # }
/// # assert_eq!(users(store).await?, 4);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "stream")]
#[must_use = "nobody is asked before the first session is"]
pub struct SessionStream {
    index: Arc<dyn SessionIndex>,
    /// `None` is all of the namespace.
    owner: Option<OwnerId>,
    page_limit: u32,
    /// What the last page has left.
    ready: std::vec::IntoIter<SessionInfo>,
    then: Then,
}

/// What follows when the last page is used up.
enum Then {
    /// The page behind this place; the first one, if there is none.
    Ask(Option<Cursor>),
    Wait(Pin<Box<dyn Future<Output = Result<Listing>> + Send>>),
    End,
}

impl SessionStream {
    /// Goes through all live sessions in scope. A store's handle is cheap to clone, and an `Arc` of one is as good.
    pub fn of(index: impl SessionIndex + 'static, scope: Scope<'_>) -> Self {
        let owner = match scope {
            Scope::All => None,
            Scope::Owner(owner) => Some(owner.clone()),
        };
        Self { index: Arc::new(index), owner, page_limit: 100, ready: Vec::new().into_iter(), then: Then::Ask(None) }
    }

    /// Sets the most sessions that one call of `list` asks for, 100 without a choice; 0 is taken for 1.
    pub fn with_page_limit(mut self, limit: u32) -> Self {
        self.page_limit = limit;
        self
    }

    /// Returns the next session, or `None` when there are no more. A future that is dropped loses no session.
    ///
    /// # Errors
    ///
    /// What [`SessionIndex::list`] refuses with: [`Unavailable`](crate::Error::Unavailable) if no answer came in time,
    /// [`Backend`](crate::Error::Backend) if the backend refuses in a way that a retry does not cure. `None` follows.
    pub async fn next(&mut self) -> Option<Result<SessionInfo>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn ask(&self, after: Option<Cursor>) -> Then {
        let first = Page::first(self.page_limit);
        let page = match after {
            None => first,
            Some(cursor) => first.after(cursor),
        };
        let (index, owner) = (self.index.clone(), self.owner.clone());
        Then::Wait(Box::pin(async move { index.list(owner.as_ref().map_or(Scope::All, Scope::Owner), &page).await }))
    }
}

impl Stream for SessionStream {
    type Item = Result<SessionInfo>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(session) = self.ready.next() {
                return Poll::Ready(Some(Ok(session)));
            }
            match &mut self.then {
                Then::End => return Poll::Ready(None),
                Then::Ask(after) => {
                    let after = after.take();
                    self.then = self.ask(after);
                }
                Then::Wait(listing) => match ready!(listing.as_mut().poll(context)) {
                    Err(error) => {
                        self.then = Then::End;
                        return Poll::Ready(Some(Err(error)));
                    }
                    Ok(listing) => {
                        let is_empty = listing.sessions.is_empty();
                        self.ready = listing.sessions.into_iter();
                        self.then = listing.next.map_or(Then::End, |cursor| Then::Ask(Some(cursor)));
                        if is_empty && matches!(self.then, Then::Ask(_)) {
                            // However many empty pages there are, other tasks have their turn in between.
                            context.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                },
            }
        }
    }
}

impl fmt::Debug for SessionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStream")
            .field("owner", &self.owner)
            .field("page_limit", &self.page_limit)
            .finish_non_exhaustive()
    }
}
