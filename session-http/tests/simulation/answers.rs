//! What has to hold between a browser and the application: what a request sees, and what its answer promises.

use std::time::Duration;

use http::StatusCode;
use session_core::{SessionKey, Timestamp};

use crate::act::{Act, Job};
use crate::model::{Asked, Death, Known, Model, Written};

/// What an answer tells a browser about its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Id(SessionKey),
    Removed,
}

/// How long a second login under an id that is dead may join what became of it; a second less, for clocks that differ.
const JOINS_WITHIN: Duration = Duration::from_secs(27);

/// How many of the ids that it had a session names.
const ORIGINS: usize = 4;

/// How long a server knows that what is written under an id that died is to be refused, and how long a logout follows it; a bit less, as it counts from
/// when it asked the store.
const KNOWN_FOR: Duration = Duration::from_secs(45);
const LOGOUTS_FOLLOW_FOR: Duration = Duration::from_secs(105);

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
            failures.extend(known.check_success(&asked, told, now));
        }
        if let Told::Id(key) = told {
            failures.extend(known.check_new_id(&asked, key, now));
        }
        known.requests.insert(number, asked);
        known.failures.extend(failures);
    }
}

impl Known {
    /// Says whether a session that the request presented, or began, is not there any more under its id.
    fn has_lost_id(&self, asked: &Asked, now: Timestamp) -> bool {
        let mut ids = asked.presented.iter().chain(&asked.beside).chain(&asked.began).chain(&asked.rotated_to);
        ids.any(|key| self.is_dead(key, now))
    }

    /// Says whether nobody at the server of a request can know what became of the id that it presents: another server, or a call that was given up,
    /// changed it before the request loaded it, or it was too long ago.
    fn is_unknown(&self, asked: &Asked, known_for: Duration) -> bool {
        let death = asked.presented.as_ref().and_then(|key| self.deaths.get(key));
        let is_here = |death: &Death| death.server == Some(asked.job.server);
        let is_known = |death: &Death| is_here(death) && asked.at.saturating_since(death.at) <= known_for;
        !asked.was_loaded && !death.is_some_and(is_known)
    }

    fn check_success(&mut self, asked: &Asked, told: &Told, now: Timestamp) -> Vec<String> {
        let (number, act) = (asked.job.number, asked.job.act);
        let mut failures = Vec::new();
        if act.writes() && !self.writes.get(&number).is_some_and(|written| written.is_stored || written.is_refused) {
            failures.push(format!("#{number} was answered with a success, and what it wrote was never stored"));
        }
        let live = asked.line.filter(|line| act == Act::Logout && self.live_in(*line).is_some());
        if let Some(line) = live {
            if self.is_unknown(asked, LOGOUTS_FOLLOW_FOR) {
                self.displaced.insert(line);
            } else {
                failures.push(format!("#{number} logged out, and an id of line {line} lets in"));
            }
        }
        if act == Act::Logout && asked.beside.iter().any(|key| self.live.contains_key(key) && !self.is_dead(key, now)) {
            failures.push(format!("#{number} logged out, and another id that it presented lets in"));
        }
        let has_new_id = act.gives_new_id() && (asked.owner.is_some() || matches!(act, Act::Login(_)));
        // Other requests of the same moment may have ended it, or given it another id.
        let gave_way = asked.wrote_to.as_ref().is_some_and(|key| !self.live.contains_key(key));
        if has_new_id && *told == Told::Nothing && !gave_way {
            failures.push(format!("#{number} was to get a new id, and was told none"));
        }
        if has_new_id && asked.presented.as_ref().is_some_and(|key| self.live.contains_key(key)) {
            failures.push(format!("#{number} was to get a new id, and the old one lets in"));
        }
        if let Some(key) = &asked.rotated_to
            && self.live.contains_key(key)
            && *told != Told::Id(key.clone())
        {
            failures.push(format!("#{number} gave its session a new id, and did not tell it"));
        }
        if act == Act::EndOthers && asked.owner.is_some() {
            let is_left = |(line, owner): &&(usize, Option<String>)| {
                Some(*line) != asked.line && *owner == asked.owner && self.live_in(*line).is_some()
            };
            let left = asked.others.iter().filter(is_left).min();
            failures.extend(left.map(|(line, _)| format!("#{number} ended all others, and line {line} lives")));
        }
        failures
    }

    /// A login under an id in whose place the same user's login began a session a moment before joins that one.
    fn check_heirs(&self, asked: &Asked, old: usize, line: usize) -> Option<String> {
        let Act::Login(user) = asked.job.act else { return None };
        if !asked.began.iter().any(|key| self.lines.get(key) == Some(&line)) {
            return None;
        }
        let is_joined = |heir: &&usize| {
            let (Some(born), Some((_, live))) = (self.born.get(heir), self.live_in(**heir)) else { return false };
            let mut beginners =
                self.requests.values().filter(|other| other.began.iter().any(|key| self.lines.get(key) == Some(*heir)));
            let is_same = beginners.any(|other| other.presented == asked.presented && other.job.act == asked.job.act);
            let is_login =
                is_same && **heir != line && live.owner.as_deref() == Some(user) && !self.cut.contains_key(heir);
            is_login && *born < asked.at && asked.at.saturating_since(*born) < JOINS_WITHIN
        };
        let heir = *self.heirs.get(&old)?.iter().find(is_joined)?;
        Some(format!(
            "#{} began line {line} beside line {heir}, which the same login began a moment ago",
            asked.job.number
        ))
    }

    /// Returns how many ids a line had since it had this one.
    fn steps(&self, line: usize, key: &SessionKey) -> usize {
        let place = |key: &SessionKey| self.names.iter().position(|name| name == key);
        let is_later = |(other, of): &(&SessionKey, &usize)| **of == line && place(other) > place(key);
        self.lines.iter().filter(is_later).count()
    }

    /// A browser loses what became of a line to another one that began beside it.
    fn displace(&mut self, old: usize, line: usize) {
        let lines = self.with_heirs(old);
        self.displaced.extend(lines.into_iter().filter(|other| *other != line));
    }

    /// A cookie that takes the place of one whose session lives makes that unreachable.
    fn check_new_id(&mut self, asked: &Asked, key: &SessionKey, now: Timestamp) -> Option<String> {
        let number = asked.job.number;
        let Some(line) = self.lines.get(key).copied() else {
            return Some(format!("#{number} was told an id that was never stored"));
        };
        let presented = asked.presented.as_ref().zip(asked.line).filter(|(_, old)| *old != line);
        let (old_key, old) = presented?;
        if self.is_unknown(asked, KNOWN_FOR) {
            self.displace(old, line);
        }
        let Some((_, live)) = self.live_in(old) else { return self.check_heirs(asked, old, line) };
        let Some(death) = self.deaths.get(old_key) else {
            return Some(format!("#{number} began line {line} beside line {old}, which it presented"));
        };
        let age = now.saturating_since(death.at);
        let is_excused = match asked.job.act {
            Act::Login(user) => {
                let is_cut = self.cut.get(&old).is_some_and(|at| *at >= death.at);
                let is_far = self.steps(old, old_key) > ORIGINS;
                // Of two ids that are dead it joins what became of one.
                let is_one_of_two = !asked.beside.is_empty();
                live.owner.as_deref() != Some(user) || is_cut || is_far || is_one_of_two || age > JOINS_WITHIN
            }
            _ => self.is_unknown(asked, KNOWN_FOR),
        };
        if is_excused {
            self.displace(old, line);
            return None;
        }
        Some(format!("#{number} began line {line}, and line {old}, which became of its id, lives"))
    }
}
