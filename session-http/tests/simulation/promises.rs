//! What an answer promises, and whether it is so.

use std::time::Duration;

use session_core::{SessionKey, Timestamp};

use crate::act::Act;
use crate::answers::Told;
use crate::model::{Asked, Death, Known};

/// How long a second login under an id that is dead may join what became of it; a second less, for clocks that differ.
const JOINS_WITHIN: Duration = Duration::from_secs(27);

/// How many of the ids that it had a session names.
const ORIGINS: usize = 4;

/// How long a server knows that what is written under an id that died is to be refused, and how long a logout follows it; a bit less, as it counts from
/// when it asked the store.
const KNOWN_FOR: Duration = Duration::from_secs(45);
const LOGOUTS_FOLLOW_FOR: Duration = Duration::from_secs(105);

impl Known {
    /// Says whether a session that the request presented, or began, is not there any more under its id.
    pub(crate) fn has_lost_id(&self, asked: &Asked, now: Timestamp) -> bool {
        let mut ids = asked.presented.iter().chain(&asked.beside).chain(&asked.began).chain(&asked.rotated_to);
        // Of two that are live nobody knows whose request it is.
        let is_several = asked.presented.is_none() && asked.beside.len() > 1;
        ids.any(|key| self.is_dead(key, now)) || (is_several && !matches!(asked.job.act, Act::Login(_) | Act::Logout))
    }

    /// Says whether nobody at the server of a request can know what became of an id that it presents: another server, or a call that was given up,
    /// changed it before the request loaded it, or it was too long ago.
    fn is_unknown(&self, asked: &Asked, key: &SessionKey, known_for: Duration) -> bool {
        let is_here = |death: &&Death| death.server == Some(asked.job.server);
        let is_known = |death: &Death| asked.at.saturating_since(death.at) <= known_for;
        !asked.loaded.contains(key) && !self.deaths.get(key).filter(is_here).is_some_and(is_known)
    }

    /// After a logout nothing lets in that one of the ids that it presented became, but what nobody at its server can know of.
    fn check_logout(&mut self, asked: &Asked) -> Vec<String> {
        let mut failures = Vec::new();
        for key in asked.presented.iter().chain(&asked.beside) {
            let Some(line) = self.lines.get(key).copied().filter(|line| self.live_in(*line).is_some()) else {
                continue;
            };
            if self.is_unknown(asked, key, LOGOUTS_FOLLOW_FOR) {
                self.displaced.insert(line);
            } else {
                failures.push(format!("#{} logged out, and an id of line {line} lets in", asked.job.number));
            }
        }
        failures
    }

    pub(crate) fn check_success(&mut self, asked: &Asked, told: &Told) -> Vec<String> {
        let (number, act) = (asked.job.number, asked.job.act);
        let mut failures = Vec::new();
        if act.writes() && !self.writes.get(&number).is_some_and(|written| written.is_stored || written.is_refused) {
            failures.push(format!("#{number} was answered with a success, and what it wrote was never stored"));
        }
        if act == Act::Logout {
            failures.extend(self.check_logout(asked));
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
                let is_own =
                    asked.line == Some(*line) || asked.beside.iter().any(|key| self.lines.get(key) == Some(line));
                !is_own && *owner == asked.owner && self.live_in(*line).is_some()
            };
            let left = asked.others.iter().filter(is_left).min();
            failures.extend(left.map(|(line, _)| format!("#{number} ended all others, and line {line} lives")));
        }
        failures
    }

    /// A login under an id in whose place the same user's login began a session a moment before joins that one.
    fn check_heirs(&self, asked: &Asked, old: usize, line: usize, now: Timestamp) -> Option<String> {
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
            is_login && *born < asked.at && now.saturating_since(*born) < JOINS_WITHIN
        };
        let heir = *self.heirs.get(&old)?.iter().find(is_joined)?;
        Some(format!(
            "#{} began line {line} beside line {heir}, which the same login began a moment ago",
            asked.job.number
        ))
    }

    /// Returns how many ids a line had since it had this one.
    fn steps(&self, line: usize, key: &SessionKey) -> usize {
        let place = |key: &SessionKey| self.names.get(key);
        let is_later = |(other, of): &(&SessionKey, &usize)| **of == line && place(other) > place(key);
        self.lines.iter().filter(is_later).count()
    }

    /// A browser loses what became of a line to another one that began beside it.
    fn displace(&mut self, old: usize, line: usize) {
        let lines = self.with_heirs(old);
        self.displaced.extend(lines.into_iter().filter(|other| *other != line));
    }

    /// A cookie that takes the place of one whose session lives makes that unreachable.
    pub(crate) fn check_new_id(&mut self, asked: &Asked, key: &SessionKey, now: Timestamp) -> Option<String> {
        let number = asked.job.number;
        let Some(line) = self.lines.get(key).copied() else {
            return Some(format!("#{number} was told an id that was never stored"));
        };
        let presented = asked.presented.as_ref().zip(asked.line).filter(|(_, old)| *old != line);
        let (old_key, old) = presented?;
        let is_unknown = self.is_unknown(asked, old_key, KNOWN_FOR);
        if is_unknown {
            self.displace(old, line);
        }
        let Some((_, live)) = self.live_in(old) else { return self.check_heirs(asked, old, line, now) };
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
            _ => is_unknown,
        };
        if is_excused {
            self.displace(old, line);
            return None;
        }
        Some(format!("#{number} began line {line}, and line {old}, which became of its id, lives"))
    }
}
