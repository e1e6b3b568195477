//! What published stores can do: five calls about a text under a name.

use async_trait::async_trait;
use session_core::{BoxError, Timestamp};

/// A published store, asked only for what it offers.
#[async_trait]
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    /// Stores a text under a name that is not in use, by the store's own idea of that; `false` if it is in use.
    async fn create(&self, name: &str, text: String, expires_at: Timestamp) -> Result<bool, BoxError>;
    /// Stores a text under a name.
    async fn save(&self, name: &str, text: String, expires_at: Timestamp) -> Result<(), BoxError>;
    /// Returns the text of a session that has not ended, by the store's own idea of that.
    async fn load(&self, name: &str) -> Result<Option<String>, BoxError>;
    /// Removes a session.
    async fn delete(&self, name: &str) -> Result<(), BoxError>;
    /// Removes expired sessions and returns how many, if the store tells.
    async fn delete_expired(&self) -> Result<u32, BoxError>;
}
