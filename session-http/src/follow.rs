//! What becomes of a login, a logout or a write whose session is not there any more: a login joins, a logout follows, everything else is refused.

use session_core::{Record, SessionKey};

use crate::Error;
use crate::commit::Commit;
use crate::events::{self, Reason};
use crate::find::LOOKS;
use crate::meta::Meta;
use crate::recent::Became;
use crate::state::Base;
use crate::tell::News;
use crate::work::{End, Seen};

impl Commit {
    /// A login under an id that was dead when it was presented: the same login may have been made a moment ago, by a double click or by a request
    /// whose answer was lost. Then this one joins it.
    pub(crate) async fn find_earlier_login(&mut self) -> Result<(), Error> {
        if self.work.login().is_none() || self.base.stored().is_some() {
            return Ok(());
        }
        if let Base::Ended { key, was_live: true } = &self.base {
            return self.refuse(key);
        }
        let ended = |key: &&SessionKey| !self.work.ends.iter().any(|end| end.key == **key);
        let presented: Vec<_> = self.presented.iter().filter(ended).cloned().collect();
        for key in presented {
            if self.join(&key).await? {
                return Ok(());
            }
        }
        self.base = Base::New;
        Ok(())
    }

    /// The session is not stored any more.
    pub(crate) async fn go_on_without(&mut self, key: &SessionKey) -> Result<(), Error> {
        let now = self.sessions.now();
        let is_over = self.base.stored().is_some_and(|stored| stored.record.expires_at <= now);
        let is_asked = self.asked.contains(key);
        let became = match self.sessions.recent.became(key, now) {
            // This request's own attempt removed the last value, and was not answered.
            None | Some(Became::Dying { .. }) if is_asked => Some(Became::Emptied),
            became => became,
        };
        let goes_on = if self.work.login().is_some() {
            if became != Some(Became::Ended) && self.join(key).await? {
                return Ok(());
            }
            // It is somebody else's now, or was nobody's: a new session, with what this request has.
            is_over || matches!(became, Some(Became::Moved { .. } | Became::Emptied))
        } else {
            // Who sets something while the last value is removed begins anew.
            became == Some(Became::Emptied) && (is_asked || !self.work.is_loud() && self.can_tell())
        };
        if !goes_on {
            self.base = Base::Ended { key: key.clone(), was_live: true };
            return Ok(());
        }
        self.base = Base::New;
        self.is_merged = true;
        self.replay()?;
        self.make_room().await
    }

    /// Goes on with the session of the user who logs in that came from this key by a login a moment ago, if there is one.
    pub(crate) async fn join(&mut self, key: &SessionKey) -> Result<bool, Error> {
        let Some(owner) = self.work.login().cloned() else { return Ok(false) };
        let now = self.sessions.now();
        let is_it = |record: &Record| {
            record.owner.as_ref() == Some(&owner) && Meta::unpack(&record.data).is_joined_from(key, now)
        };
        let (sessions, mut found, mut id) = (self.sessions.clone(), None, None);
        match sessions.recent.fate(key, now) {
            Some(Became::Moved { to, id: known }) => {
                found = sessions.load_if(&to, is_it).await?.map(|(record, revision)| (to, record, revision));
                id = known;
            }
            Some(Became::Dying { .. } | Became::Ended | Became::Emptied) | None => {}
        }
        if found.is_none() {
            id = None;
            found = sessions.find_owned(&owner, self.work.age, is_it).await?.0;
        }
        // What this request ends is not gone on with, though a `save` of it had made it by this login.
        let is_ended = |to: &SessionKey| self.work.ends.iter().any(|end| end.key == *to);
        let Some((to, record, revision)) = found.filter(|(to, ..)| !is_ended(to)) else { return Ok(false) };
        if self.work.is_unsure {
            // It may be what an attempt of this request made that was not answered, and nothing is made twice.
            return Err(session_core::Error::unavailable("an earlier write was not answered").into());
        }
        events::followed(key, &to);
        self.set_base(id.clone(), to, revision, record);
        self.repeated = id;
        self.is_merged = true;
        self.replay()?;
        Ok(true)
    }

    /// Deletes the sessions that this request ended (S13). Browsers are told only if the session was there until now: else
    /// their cookie may have been replaced already.
    pub(crate) async fn end_sessions(&mut self) -> Result<(), Error> {
        while let Some(end) = self.work.ends.get(self.ended).cloned() {
            let was_there = self.end(&end.key, &end).await?;
            // The same login may have been made a moment ago, in place of the same session of another user.
            let is_joined = !was_there
                && end.reason == Reason::AnotherUser
                && matches!(self.base, Base::New)
                && self.join(&end.key).await?;
            if !was_there && !is_joined && !self.end_what_it_became(&end).await? {
                let was_live = end.loaded().is_some();
                let has_died = matches!(end.seen, Seen::Live(_) | Seen::Dead);
                if matches!(self.base, Base::New) && self.work.login().is_none() && has_died {
                    // What was set since then would begin a session whose cookie replaces that of a login elsewhere.
                    self.base = Base::Ended { key: end.key, was_live };
                }
            }
            self.ended += 1;
        }
        Ok(())
    }

    /// Deletes one session; says whether it was there.
    async fn end(&mut self, key: &SessionKey, end: &End) -> Result<bool, Error> {
        if matches!(end.seen, Seen::Absent) && *key == end.key {
            return Ok(false);
        }
        let (recent, now) = (self.sessions.recent.clone(), self.sessions.now());
        // In place of another user's session the browser gets one of its own in a moment.
        let moves = end.reason == Reason::AnotherUser;
        recent.ask(key, moves, now);
        let deleted = self.sessions.store().delete(key).await;
        if matches!(deleted, Err(session_core::Error::Unavailable(_))) {
            self.asked.push(key.clone());
        }
        let was_live = deleted? || matches!(end.seen, Seen::Unreadable);
        if was_live {
            self.note_end(key, end);
        } else if !self.asked.contains(key) {
            recent.withdraw(key);
        }
        Ok(was_live)
    }

    fn note_end(&mut self, key: &SessionKey, end: &End) {
        if end.reason != Reason::AnotherUser {
            self.sessions.recent.note(key, Became::Ended, self.sessions.now());
        }
        events::destroyed(key, end.reason);
        self.news.add(News::Ended);
        self.has_changed = true;
    }

    /// Says whether this commit has ended the session under a key.
    fn has_just_ended(&self, key: &SessionKey) -> bool {
        self.work.ends.iter().take(self.ended).any(|earlier| earlier.key == *key)
    }

    /// Ends what a session became that was not there any more: a logout ends the user's login, whatever id it has by now, or fails.
    async fn end_what_it_became(&mut self, end: &End) -> Result<bool, Error> {
        let now = self.sessions.now();
        let (last, fate) = self.sessions.recent.trace(&end.key, now);
        let (was_live, is_asked) = (end.loaded().is_some(), self.asked.contains(&end.key));
        // What this request has just ended is in nobody's hands.
        let is_own = self.has_just_ended(&last);
        let was_rotated = last != end.key && !is_own;
        match end.reason {
            Reason::Logout | Reason::AnotherUser => {}
            // What is meant to begin anew does not follow.
            Reason::Regenerated | Reason::Unset if is_asked && !matches!(fate, Some(Became::Moved { .. })) => {
                self.note_end(&end.key, end);
                return Ok(true);
            }
            Reason::Regenerated | Reason::Unset if was_live => {
                events::gone_at_commit(&end.key);
                return Err(Error::Ended);
            }
            _ => return Ok(false),
        }
        let (owner, sessions) = (end.loaded().and_then(|record| record.owner.clone()), self.sessions.clone());
        let (mut has_moved, mut has_ended) = (false, false);
        let (heirs, is_guess) = sessions.recent.heirs(&end.key, was_live);
        match fate {
            Some(Became::Moved { .. }) => {}
            Some(Became::Ended | Became::Emptied) if heirs.is_empty() && !is_guess => return Ok(false),
            Some(Became::Ended | Became::Emptied) => {}
            // Another request is giving it another id.
            Some(Became::Dying { moves: true, .. }) if !is_own => {}
            Some(Became::Dying { .. }) | None if matches!(end.seen, Seen::Live(_) | Seen::Dead) || was_rotated => {}
            Some(Became::Dying { .. }) | None => return Ok(false),
        }
        let is_still = |record: &Record| record.owner == owner;
        for to in &heirs {
            // It is not asked for again.
            if self.has_just_ended(to) {
                continue;
            }
            // A session of the user who logs in now is not what is to end.
            if end.reason == Reason::AnotherUser && sessions.load_if(to, is_still).await?.is_none() {
                continue;
            }
            if self.end(to, end).await? {
                events::followed(&end.key, to);
                has_ended = true;
            } else {
                let became = sessions.recent.fate(to, now);
                has_moved |= !matches!(became, Some(Became::Ended | Became::Emptied));
            }
        }
        has_moved |= is_guess;
        if !heirs.is_empty() && !has_moved {
            return Ok(has_ended);
        }
        if end.reason == Reason::AnotherUser {
            if is_asked && !has_moved {
                self.note_end(&end.key, end);
            }
            return Ok(is_asked && !has_moved);
        }
        let is_it = |record: &Record| Meta::unpack(&record.data).came_from(&end.key);
        let age = end.loaded().map(|record| Meta::unpack(&record.data).age);
        for _ in 0..=LOOKS {
            let Some(owner) = &owner else { break };
            // All that came from it: a login that could not join began another.
            let (found, has_seen_all) = sessions.find_owned(owner, age, is_it).await?;
            let Some((to, ..)) = found else {
                if has_ended {
                    return Ok(true);
                }
                has_moved |= was_live && !has_seen_all;
                break;
            };
            if self.end(&to, end).await? {
                events::followed(&end.key, &to);
                has_ended = true;
            }
            has_moved = true;
        }
        if is_asked && !has_moved && owner.is_some() {
            // This request's own attempt ended it.
            self.note_end(&end.key, end);
            return Ok(true);
        }
        if has_moved || owner.is_none() {
            // It is somewhere, or may be logged in by now as nobody here knows whom.
            events::gone_at_commit(&end.key);
            return Err(Error::Ended);
        }
        Ok(false)
    }
}
