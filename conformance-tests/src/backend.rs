//! What a case does inside the backend, with the hooks of a harness that can.

use std::time::Duration;

use session_core::SessionKey;

use crate::bench::Bench;
use crate::check::{Failure, Outcome};
use crate::hooks::{Damage, Lock, Need, Outage};

impl Bench {
    /// Holds the lock of a stored record until what is returned is dropped.
    pub(crate) async fn lock(&self, key: &SessionKey) -> Result<Lock, Failure> {
        let hook = self.hooks.lock.as_ref().ok_or_else(|| Failure::new(Need::Lock.lack()))?;
        Ok(hook(self.space.clone(), key.clone()).await?)
    }

    /// Lets the backend's own expiry run, as at the moment where the clock stands.
    pub(crate) async fn collect(&self) -> Outcome {
        let hook = self.hooks.collect.as_ref().ok_or_else(|| Failure::new(Need::Collection.lack()))?;
        Ok(hook(self.space.clone(), ()).await?)
    }

    /// Returns every byte that the backend keeps.
    pub(crate) async fn bytes(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let hook = self.hooks.bytes.as_ref().ok_or_else(|| Failure::new(Need::Bytes.lack()))?;
        Ok(hook(self.space.clone(), ()).await?)
    }

    /// Returns how much work the backend has done.
    pub(crate) async fn work(&self) -> Result<u64, Failure> {
        let hook = self.hooks.work.as_ref().ok_or_else(|| Failure::new(Need::Work.lack()))?;
        Ok(hook(self.space.clone(), ()).await?)
    }

    /// Leaves the backend no room for more, or gives it room again.
    pub(crate) async fn fill(&self, what: Outage) -> Outcome {
        let hook = self.hooks.fill.as_ref().ok_or_else(|| Failure::new(Need::Full.lack()))?;
        Ok(hook(self.space.clone(), what).await?)
    }

    /// Replaces the namespace behind the store's back by an empty one.
    pub(crate) async fn replace(&self) -> Outcome {
        let hook = self.hooks.replace.as_ref().ok_or_else(|| Failure::new(Need::Replacement.lack()))?;
        Ok(hook(self.space.clone(), ()).await?)
    }

    /// Says whether the damage lies in the data alone.
    pub(crate) fn is_in_data(&self, damage: Damage) -> bool {
        damage != Damage::Format || self.hooks.formats_data
    }

    /// Says whether records can be damaged.
    pub(crate) fn damages(&self) -> bool {
        self.hooks.damage.is_some()
    }

    /// Lets time pass for these records: by the clock where the store asks it, so that what is filed under the expiry stays as the
    /// store filed it; else the records are aged.
    pub(crate) async fn pass(&self, by: Duration, keys: &[SessionKey]) -> Outcome {
        if !self.hooks.has_other_clock {
            self.clock.advance(by);
            return Ok(());
        }
        for key in keys {
            self.age(key, by).await?;
        }
        Ok(())
    }
}
