//! What a contestant can do: five calls.

use std::time::Duration;

use crate::Outcome;
use crate::body::Body;

/// How long every session lives.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A store, or a driver, that keeps sessions. What it is given is in its own shape already; what it returns is what its users get.
pub trait Contestant: Send + Sync + 'static {
    /// What a task remembers about a session that it made: at least its key.
    type Session: Send + Sync + 'static;

    /// Stores a new session under a key of its own.
    fn create(&self, body: &Body) -> impl Future<Output = Outcome<Self::Session>> + Send;

    /// Loads a session; says whether it was there.
    fn load(&self, session: &Self::Session) -> impl Future<Output = Outcome<bool>> + Send;

    /// Replaces the data of a session.
    fn update(&self, session: &mut Self::Session, body: &Body) -> impl Future<Output = Outcome<()>> + Send;

    /// Moves the expiry of a session; those who cannot, save it whole.
    fn touch(&self, session: &mut Self::Session, body: &Body) -> impl Future<Output = Outcome<()>> + Send;

    /// Removes a session.
    fn delete(&self, session: Self::Session) -> impl Future<Output = Outcome<()>> + Send;
}
