//! What a store keeps about one session.

use crate::{Data, OwnerId, Timestamp};

/// What a store keeps about one session: its data, its times and the user it belongs to.
///
/// A record is *live* while `now < expires_at`; at the instant itself it is expired (`EXPIRY-01`). `created_at` and
/// `deadline` are fixed when the record is created: `update` and `rotate` keep the stored ones, whatever
/// the record that they are given says (`UPDATE-06`, `ROTATE-05`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// What the application remembers: one JSON object, kept as text.
    pub data: Data,
    /// When the session began.
    pub created_at: Timestamp,
    /// The first instant at which the session is over.
    pub expires_at: Timestamp,
    /// The instant past which nobody extends the session, if the policy has an absolute lifetime.
    ///
    /// It is the policy's note to itself ([`Expiry`](crate::Expiry) caps every expiry at it); a store only keeps it.
    pub deadline: Option<Timestamp>,
    /// The user that the session belongs to; `None` before the login.
    pub owner: Option<OwnerId>,
}

impl Record {
    /// Makes a record without a deadline and without an owner.
    pub fn new(data: Data, created_at: Timestamp, expires_at: Timestamp) -> Self {
        Self { data, created_at, expires_at, deadline: None, owner: None }
    }

    /// Sets the absolute deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the user that the session belongs to.
    #[must_use]
    pub fn with_owner(mut self, owner: OwnerId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Says whether the record is live at `now`: `now < expires_at`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
