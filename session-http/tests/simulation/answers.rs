//! What has to hold between a browser and the application: what a request sees, and what it is answered.

use std::collections::BTreeSet;

use http::StatusCode;
use session_core::{SessionKey, Timestamp};

use crate::act::{Act, Job};
use crate::model::{Asked, Model, Written};

/// What an answer tells a browser about its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Id(SessionKey),
    Removed,
}

impl Model {
    /// A request arrives at the application.
    pub(crate) fn arrive(&self, job: Job, mut beside: Vec<SessionKey>, at: Timestamp) {
        let mut known = self.known();
        let live: Vec<usize> = (0..beside.len()).filter(|place| !known.is_dead(&beside[*place], at)).collect();
        let is_one = !beside.is_empty() && live.len() < 2;
        let presented = is_one.then(|| beside.remove(live.first().copied().unwrap_or(0)));
        let live = presented.as_ref().and_then(|key| known.live.get(key)).filter(|live| at < live.expires_at);
        let (was_live, there) = (live.is_some(), live.map(|live| live.writes.clone()).unwrap_or_default());
        let line = presented.as_ref().and_then(|key| known.lines.get(key)).copied();
        let others = known.live.values().map(|live| (live.line, live.owner.clone())).collect();
        let asked = Asked {
            job,
            at,
            presented,
            beside,
            line,
            was_live,
            was_loaded: false,
            loaded: BTreeSet::new(),
            is_answered: false,
            there,
            others,
            owner: None,
            rotated_to: None,
            wrote_to: None,
            began: Vec::new(),
        };
        known.requests.insert(job.number, asked);
    }

    /// A handler has opened its session.
    pub(crate) fn see(&self, number: usize, owner: Option<&str>, writes: &[usize], key: Option<&SessionKey>) {
        let mut known = self.known();
        let mut failures = Vec::new();
        let browser = known.requests.get(&number).map_or(0, |asked| asked.job.browser);
        let logged_in = |user: &str| {
            let is_it = |job: &Job| job.browser == browser && matches!(job.act, Act::Login(name) if name == user);
            known.requests.values().any(|asked| is_it(&asked.job))
        };
        if let Some(user) = owner.filter(|user| !logged_in(user)) {
            failures.push(format!("#{number} of browser {browser} is {user}, as whom it never logged in"));
        }
        for written in writes.iter().filter_map(|number| known.writes.get(number)) {
            if written.user.is_some() && (written.user.as_deref() != owner || written.browser != browser) {
                failures.push(format!("#{number} of browser {browser} sees what {:?} wrote", written.user));
            }
        }
        let is_missing =
            |there: &usize| !writes.contains(there) && !known.writes.get(there).is_some_and(|write| write.is_ended);
        let there = known.requests.get(&number).into_iter().flat_map(|asked| &asked.there);
        let missing = there.copied().find(is_missing);
        if let Some(asked) = known.requests.get_mut(&number) {
            asked.owner = owner.map(Into::into);
            asked.was_loaded = key.is_some();
            if let Some(user) = owner.filter(|_| !asked.was_live && asked.beside.is_empty()) {
                failures.push(format!("#{number} is {user} under an id that was dead when it arrived"));
            }
            let missing = missing.filter(|_| key.is_some() && key == asked.presented.as_ref());
            if let Some(missing) = missing {
                failures.push(format!("#{number} does not see what #{missing} wrote before"));
            }
        }
        known.failures.extend(failures);
    }

    /// A handler writes, in a session that has this owner.
    pub(crate) fn write(&self, number: usize, user: Option<&str>) {
        let mut known = self.known();
        let browser = known.requests.get(&number).map_or(0, |asked| asked.job.browser);
        known.writes.insert(number, Written { browser, user: user.map(Into::into), ..Written::default() });
    }

    /// A client left when its handler had answered: what that wanted is done all the same.
    pub(crate) fn finish(&self, number: usize) {
        let mut known = self.known();
        let Some(asked) = known.requests.get(&number) else { return };
        let is_live = asked.was_loaded && asked.presented.as_ref().is_some_and(|key| known.live.contains_key(key));
        let has_stored = known.writes.get(&number).is_some_and(|written| written.is_stored || written.is_refused);
        let is_left = match asked.job.act {
            Act::Logout => is_live,
            act => is_live && act.writes() && !has_stored && !known.has_limit,
        };
        if is_left {
            known.failures.push(format!("#{number} had answered when its client left, and nothing was done"));
        }
    }

    /// An update has returned how long the list is with what it added, or that it refused.
    pub(crate) fn updated(&self, number: usize, length: Option<usize>) {
        let mut known = self.known();
        let written = known.writes.entry(number).or_default();
        written.is_refused = length.is_none();
        let is_right = length.map_or(!written.is_stored, |length| written.is_stored && written.place + 1 == length);
        if !is_right {
            let failure = format!("#{number} was told {length:?} by its update, which is not what is stored");
            known.failures.push(failure);
        }
    }

    /// A request was told that it has ended a session.
    pub(crate) fn ended(&self, number: usize, key: &SessionKey) {
        let mut known = self.known();
        if known.live.contains_key(key) {
            let failure = format!("#{number} ended {}, which lives", known.name(key));
            known.failures.push(failure);
        }
    }

    /// An answer changes a browser's cookie. Where answers overtook one another, that is a session that the request had nothing to do with.
    ///
    /// `number` is 0 where a thief does it.
    pub(crate) fn replace(&self, number: usize, before: Option<&SessionKey>, after: Option<&SessionKey>) {
        let mut known = self.known();
        let line_of = |key: Option<&SessionKey>| key.and_then(|key| known.lines.get(key)).copied();
        let (Some(before), after) = (line_of(before), line_of(after)) else { return };
        let presented = known.requests.get(&number).and_then(|asked| asked.line);
        if presented != Some(before) && after != Some(before) {
            known.displaced.insert(before);
        }
    }

    /// The layer gives its answer away.
    pub(crate) fn answer(&self, number: usize, status: u16, told: &Told, is_calm: bool, now: Timestamp) {
        let mut known = self.known();
        let Some(mut asked) = known.requests.remove(&number) else { return };
        asked.is_answered = true;
        let is_odd = match status {
            500 => true,
            409 => asked.job.act.is_read() || !known.has_lost_id(&asked, now),
            403 => !known.has_limit,
            503 => is_calm,
            _ => false,
        };
        let mut failures = Vec::new();
        if is_odd {
            let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            failures.push(format!("#{number} is answered {}", reason.unwrap_or("with an odd status")));
        }
        if (200..300).contains(&status) {
            failures.extend(known.check_success(&asked, told));
        }
        if let Told::Id(key) = told {
            failures.extend(known.check_new_id(&asked, key, now));
        }
        known.requests.insert(number, asked);
        known.failures.extend(failures);
    }
}
