//! Ending the sessions of an owner in a cluster, part by part.
//!
//! All parts are marked first; then what the owner has in each is removed; then the marks are taken back. A rotation of that
//! owner's session that sees a mark at its first or its last step ends the session (`OWNER-04`). Had it seen none, its new record
//! was there before the removal in its part, or its old one was found by the removal in its own.

use futures_util::future::join_all;
use session_core::{OwnerId, Result, Revision, SessionKey};

use crate::RedisStore;
use crate::link::Twice;
use crate::part::PARTS;
use crate::script::MARK;
use crate::text;

impl RedisStore {
    /// Ends an owner's sessions in all parts.
    pub(crate) async fn delete_owned_in_steps(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let token = text::revision_text(Revision::fresh());
        let removed = match self.mark(owner, &token, &self.lease().to_string()).await {
            Ok(()) => {
                let removed = (0..PARTS).map(|part| self.delete_owned_at((part, part), owner, except));
                join_all(removed).await.into_iter().sum()
            }
            Err(error) => Err(error),
        };
        // A mark that is not taken back here goes by itself.
        let unmarked = self.mark(owner, &token, "").await;
        removed.and_then(|removed: u64| unmarked.map(|()| removed))
    }

    /// Marks all parts with a token of this call, or takes it back without a lease.
    async fn mark(&self, owner: &OwnerId, token: &[u8], lease: &str) -> Result<()> {
        let marks = (0..PARTS).map(|part| async move {
            let call = MARK.call(&[&self.prefix.ending(part, owner.as_str())], &[]).arg(token).arg(lease);
            self.link.write::<i64>(part, &call, Twice::Same, self.manner).await
        });
        join_all(marks).await.into_iter().try_for_each(|answer| answer.map(drop))
    }
}
