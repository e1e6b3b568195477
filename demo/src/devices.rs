//! The sessions of one user, as the page "your devices" shows them.

use session_core::{SessionInfo, SessionStore, Timestamp};
use session_tower::{Error, Session};

use crate::policy;

/// How many sessions are shown; who has more sees that many of them.
const MOST: usize = 50;

/// One session of the user.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) info: SessionInfo,
    /// When it was last used, as far as its expiry tells.
    pub(crate) last_used_at: Timestamp,
    /// What logged in, if it said so.
    pub(crate) browser: Option<String>,
    pub(crate) is_current: bool,
}

/// Lists the live sessions of a user, the one of this request first, then those that were used last.
pub(crate) async fn of(store: &dyn SessionStore, session: &Session, now: Timestamp) -> Result<Vec<Device>, Error> {
    let current = session.key();
    let device = |info: SessionInfo| {
        let is_current = current.as_ref() == Some(&info.key);
        let last_used_at = if is_current { now } else { last_use(&info, now) };
        Device { info, last_used_at, browser: None, is_current }
    };
    let mut devices: Vec<Device> = session.sessions().await?.into_iter().map(device).collect();
    devices.sort_by_key(|device| (!device.is_current, std::cmp::Reverse(device.last_used_at)));
    devices.truncate(MOST);
    for device in &mut devices {
        // The listing has no data. A session that ended meanwhile or cannot be read has no browser, and can be ended.
        let loaded = match store.load(&device.info.key).await {
            Err(session_core::Error::Corrupt(_)) => None,
            loaded => loaded?,
        };
        device.browser = loaded.and_then(|(record, _)| record.data.get("browser").ok().flatten());
    }
    Ok(devices)
}

/// Every use sets the expiry one idle time-out ahead, unless the deadline comes first: then this is the earliest it
/// can have been.
fn last_use(info: &SessionInfo, now: Timestamp) -> Timestamp {
    let used_at = info.expires_at.saturating_sub(policy::IDLE).max(info.created_at);
    used_at.min(now)
}
