//! What each write of the store did to the sessions, and whether the request that it was for had any business to.

use session_core::{Record, Revision, SessionKey, SessionStore, Timestamp};
use session_store_memory::MemoryStore;

use crate::act::Act;
use crate::call::{Call, at_once};
use crate::model::{Death, Known, Live, read};

impl Known {
    pub(crate) fn observe(&mut self, request: usize, call: &Call, store: &MemoryStore, now: Timestamp) {
        let mut keys: Vec<SessionKey> = call.keys().into_iter().cloned().collect();
        // A call that names no key may have changed all.
        let is_of_all = keys.is_empty();
        let may_be_gone = |(_, live): &(&SessionKey, &Live)| is_of_all || live.expires_at <= now;
        keys.extend(self.live.iter().filter(may_be_gone).map(|(key, _)| key.clone()));
        keys.sort();
        keys.dedup();
        // Deaths after births: a rotation is a birth that takes its origin along.
        let mut gone = Vec::new();
        for key in keys {
            let found = at_once(store.load(&key)).ok().flatten();
            match (self.live.get(&key).cloned(), found) {
                (None, Some((record, revision))) => self.born(request, call, key, &record, revision, now),
                (Some(before), Some((record, revision))) => self.changed(request, key, before, &record, revision),
                (Some(before), None) => gone.push((key, before)),
                (None, None) => {}
            }
        }
        for (key, before) in gone {
            let is_moved = matches!(call, Call::Rotate(old, _, new, _) if *old == key && self.live.contains_key(new));
            self.live.remove(&key);
            let is_expired = before.expires_at <= now;
            let server = self.requests.get(&request).map(|asked| asked.job.server);
            let server = server.filter(|_| !is_expired && !self.nobody_waits);
            // What was asked for long before counts from then.
            let at = self.requests.get(&request).filter(|_| self.nobody_waits).map_or(now, |asked| asked.at);
            self.deaths.insert(key.clone(), Death { at, server });
            if is_moved {
                continue;
            }
            if !is_expired && !self.may_end(request, &key, &before) {
                let (name, line) = (self.name(&key), before.line);
                self.failures.push(format!("#{request} ended {name} of line {line}, which is not its business"));
            }
            self.end_writes(before.writes);
        }
        self.check_lines();
    }

    fn end_writes(&mut self, numbers: Vec<usize>) {
        for number in numbers {
            self.writes.entry(number).or_default().is_ended = true;
        }
    }

    fn born(
        &mut self,
        request: usize,
        call: &Call,
        key: SessionKey,
        record: &Record,
        revision: Revision,
        now: Timestamp,
    ) {
        let (owner, writes) = read(record);
        let act = self.requests.get(&request).map(|asked| asked.job.act);
        let name = self.name(&key);
        if self.lines.contains_key(&key) {
            self.failures.push(format!("#{request} brought {name} back"));
        }
        let origin = match call {
            Call::Rotate(old, _, new, _) if *new == key => {
                self.lines.get(old).copied().map(|line| (line, self.live.get(old).cloned()))
            }
            _ => None,
        };
        let may_own = |user: &String| matches!(act, Some(Act::Login(name)) if name == user);
        let before = origin.as_ref().and_then(|(_, before)| before.as_ref());
        let before_owner = before.and_then(|before| before.owner.as_ref());
        if owner.as_ref() != before_owner && (before_owner.is_some() || !owner.as_ref().is_some_and(may_own)) {
            self.failures
                .push(format!("#{request} made {name} a session of {owner:?}, before it was of {before_owner:?}"));
        }
        if let Some(before) = before {
            let lost: Vec<_> = before.writes.iter().filter(|number| !writes.contains(number)).collect();
            if !lost.is_empty() {
                self.failures.push(format!("#{request} gave {name} its id and lost {lost:?}"));
            }
        }
        self.wrote(request, &key);
        let next = self.lines.values().max().map_or(1, |last| last + 1);
        let line = origin.map_or(next, |(line, _)| line);
        let asked = self.requests.get(&request).filter(|_| line == next);
        let beside = asked.iter().flat_map(|asked| asked.beside.iter().filter_map(|key| self.lines.get(key).copied()));
        let before: Vec<usize> = asked.and_then(|asked| asked.line).into_iter().chain(beside).collect();
        for old in before {
            self.heirs.entry(old).or_default().insert(line);
        }
        if let Some(asked) = self.requests.get_mut(&request).filter(|_| line == next) {
            if asked.began.iter().any(|other| self.live.contains_key(other)) {
                self.failures.push(format!("#{request} began {name} beside another that it began"));
            }
            asked.began.push(key.clone());
            if !asked.job.act.writes() {
                self.failures.push(format!("#{request} began {name} and has nothing to put there"));
            }
        }
        if let Some(asked) = self.requests.get_mut(&request).filter(|_| line != next) {
            asked.rotated_to = Some(key.clone());
            if !asked.job.act.gives_new_id() {
                self.failures.push(format!("#{request} gave {name} a new id, and nobody asked for one"));
            }
            if !matches!(asked.job.act, Act::Login(_)) {
                self.cut.insert(line, now);
            }
        }
        self.born.entry(line).or_insert(now);
        self.lines.insert(key.clone(), line);
        self.note_writes(request, &writes, None);
        self.live.insert(key, Live { line, owner, writes, expires_at: record.expires_at, revision });
    }

    fn changed(&mut self, request: usize, key: SessionKey, before: Live, record: &Record, revision: Revision) {
        if revision == before.revision {
            self.live.insert(key, Live { expires_at: record.expires_at, ..before });
            return;
        }
        self.wrote(request, &key);
        let (owner, writes) = read(record);
        let name = self.name(&key);
        let mut lost: Vec<usize> = before.writes.iter().filter(|number| !writes.contains(number)).copied().collect();
        let act = self.requests.get(&request).map(|asked| asked.job.act);
        let act_of = |number| self.requests.get(&number).map(|asked| asked.job.act);
        if let Some(act) = act.filter(|act| act.removes()) {
            let (removed, kept) =
                lost.into_iter().partition(|number| act == Act::Clear || act_of(*number) != Some(Act::Set));
            lost = kept;
            self.end_writes(removed);
        }
        if !lost.is_empty() {
            self.failures.push(format!("#{request} wrote {name} and lost {lost:?}"));
        }
        if owner != before.owner {
            self.failures.push(format!("#{request} made {name} a session of {owner:?} under the id that it had"));
        }
        self.note_writes(request, &writes, Some(&before));
        self.live.insert(key, Live { owner, writes, expires_at: record.expires_at, revision, ..before });
    }

    fn wrote(&mut self, request: usize, key: &SessionKey) {
        if let Some(asked) = self.requests.get_mut(&request) {
            asked.wrote_to = Some(key.clone());
        }
    }

    fn note_writes(&mut self, request: usize, writes: &[usize], before: Option<&Live>) {
        for (place, number) in writes.iter().enumerate() {
            if writes[..place].contains(number) && before.is_none_or(|before| before.writes != writes) {
                self.failures.push(format!("#{request} stored what #{number} wrote twice"));
            }
            let written = self.writes.entry(*number).or_default();
            if !std::mem::replace(&mut written.is_stored, true) {
                written.place = place;
            }
            // A login whose answer was lost is made again by its own request, though it was stored and ended meanwhile.
            written.is_ended &= *number != request;
            if written.is_ended {
                self.failures.push(format!("#{request} stored what #{number} wrote, and that had ended"));
            }
        }
    }

    /// Says whether this request may end this session.
    fn may_end(&self, request: usize, key: &SessionKey, before: &Live) -> bool {
        let Some(asked) = self.requests.get(&request) else { return false };
        if !asked.is_answered && asked.began.contains(key) {
            // Nobody can be told of it.
            return true;
        }
        if asked.beside.contains(key) && matches!(asked.job.act, Act::Login(_) | Act::Logout) {
            return true;
        }
        let is_presented = asked.line == Some(before.line) || asked.beside.contains(key);
        let is_heir = asked.line.is_some_and(|line| self.with_heirs(line).contains(&before.line));
        match asked.job.act {
            Act::Logout => {
                let beside = asked.beside.iter().filter_map(|key| self.lines.get(key).copied());
                let mut lines = asked.line.into_iter().chain(beside);
                lines.any(|line| self.with_heirs(line).contains(&before.line))
            }
            Act::Clear | Act::Take => is_presented && before.owner.is_none(),
            Act::EndOthers | Act::EndOne => before.owner.is_some() && before.owner == asked.owner,
            Act::Login(user) => {
                let is_users = before.owner.as_deref() == Some(user);
                (is_users && self.has_limit) || (is_heir && !is_users && before.owner.is_some())
            }
            _ => false,
        }
    }

    fn check_lines(&mut self) {
        let mut lines: Vec<usize> = self.live.values().map(|live| live.line).collect();
        lines.sort_unstable();
        if let Some(pair) = lines.windows(2).find(|pair| pair[0] == pair[1]) {
            self.failures.push(format!("two ids of line {} are live", pair[0]));
        }
    }
}
