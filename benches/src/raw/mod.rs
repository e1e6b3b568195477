//! The drivers themselves, doing the least that a session store has to do: the same bytes, the same conditions, and as durable.

pub mod file;
pub mod memory;
pub mod mongo;
pub mod redis;
pub mod sql;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::contestant::LIFETIME;

/// Returns the time in milliseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns when a session that is used now ends; a later touch ends a little later.
pub(crate) fn end(touches: u32) -> i64 {
    now() + i64::try_from((LIFETIME + Duration::from_millis(touches.into())).as_millis()).unwrap_or(i64::MAX)
}

/// A session, as somebody who has only the driver would remember it.
pub struct Session {
    pub(crate) key: String,
    pub(crate) revision: i64,
    pub(crate) touches: u32,
}

impl Session {
    pub(crate) fn fresh() -> crate::Outcome<Self> {
        let key = crate::ours::fresh_key()?.as_str().to_owned();
        Ok(Self { key, revision: fresh_revision(), touches: 0 })
    }

    pub(crate) fn touch(&mut self) -> i64 {
        self.touches += 1;
        end(self.touches)
    }
}

pub(crate) fn fresh_revision() -> i64 {
    i64::try_from(session_core::Revision::fresh().number()).unwrap_or_default()
}

/// Fails unless exactly one record was changed.
pub(crate) fn exactly_one(changed: u64) -> crate::Outcome<()> {
    if changed == 1 { Ok(()) } else { Err("the record was not there".into()) }
}
