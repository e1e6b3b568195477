//! One client: what it knows about its sessions, what it asks, and what the answers must be.
//!
//! A client's calls come one after the other and nobody else touches its sessions, so it knows what must be stored, except where a
//! call got no answer: then both outcomes are right, until a later answer decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::core::{
    Clock as _, Data, Error, OwnerId, Page, Record, Revision, Scope, SessionId, SessionIndex, SessionKey, SystemClock,
    Timestamp,
};

use crate::report::{Answer, Report};

const LIFE: Duration = Duration::from_secs(3600);
const SHORT_LIFE: Duration = Duration::from_secs(4);

struct Session {
    key: SessionKey,
    is_owned: bool,
    revision: Revision,
    value: u64,
    /// Values of updates at this revision that got no answer.
    unanswered: Vec<u64>,
    /// Not before this, unless an update is unanswered.
    expires_at: Timestamp,
    /// An ending that got no answer: it may be gone at any time.
    may_be_gone: bool,
    /// A rotation that got no answer: where the session may be now.
    may_be_at: Option<SessionKey>,
}

pub(crate) struct Client {
    random: Random,
    stores: [Arc<dyn SessionIndex>; 2],
    report: Arc<Report>,
    owner: OwnerId,
    sessions: Vec<Session>,
    /// What has ended, and from when on.
    ended: VecDeque<(SessionKey, Instant)>,
    values: u64,
}

impl Client {
    pub(crate) fn new(number: u64, seed: u64, stores: [Arc<dyn SessionIndex>; 2], report: Arc<Report>) -> Self {
        let owner = OwnerId::parse(&format!("user-{seed}-{number}")).expect("a short name is an owner");
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number + 1));
        Self { random, stores, report, owner, sessions: Vec::new(), ended: VecDeque::new(), values: 0 }
    }

    pub(crate) async fn run(mut self, end: Instant) -> Self {
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(100 + self.random.below(500))).await;
            let at = self.random.below(self.sessions.len().max(1) as u64) as usize;
            if self.sessions.is_empty() {
                self.log_in().await;
                continue;
            }
            if self.sessions[at].may_be_at.is_some() || self.sessions[at].may_be_gone {
                self.log_out(at).await;
                continue;
            }
            match self.random.below(100) {
                0..8 if self.sessions.len() < 5 => self.log_in().await,
                8..12 => self.come_and_go().await,
                12..28 => self.update(at).await,
                28..38 => self.touch(at).await,
                38..46 => self.rotate(at).await,
                46..53 => self.log_out(at).await,
                53..55 => self.log_out_everywhere().await,
                55..58 => self.list().await,
                58..68 => self.look_at_what_ended().await,
                _ => self.load(at).await,
            }
        }
        self
    }

    /// Looks at everything once more, when all is well.
    pub(crate) async fn check(mut self) {
        // From the end: what is gone is taken out.
        for at in (0..self.sessions.len()).rev() {
            self.load(at).await;
        }
        for (key, since) in std::mem::take(&mut self.ended) {
            self.must_be_gone(&key, since).await;
        }
        self.list().await;
    }

    async fn log_in(&mut self) {
        let (key, is_owned) = (fresh_key(), self.random.below(4) > 0);
        let record = self.record(LIFE, is_owned);
        let expires_at = record.expires_at;
        let (store, patience) = self.next();
        match self.report.call("create", patience, store.create(&key, &record)).await {
            Answer::Done(Ok(revision)) => self.sessions.push(Session {
                key,
                is_owned,
                revision,
                value: self.values,
                unanswered: Vec::new(),
                expires_at,
                may_be_gone: false,
                may_be_at: None,
            }),
            Answer::Done(Err(error)) => self.report.wrong(&format!("create of a fresh key: {error}")),
            // The application takes another id.
            Answer::Unknown => {}
        }
    }

    async fn come_and_go(&mut self) {
        let key = fresh_key();
        let record = self.record(SHORT_LIFE, true);
        let (store, patience) = self.next();
        if let Answer::Done(Ok(_)) = self.report.call("create", patience, store.create(&key, &record)).await {
            self.end(key, Instant::now() + SHORT_LIFE + Duration::from_millis(50));
        }
    }

    async fn load(&mut self, at: usize) {
        let key = self.sessions[at].key.clone();
        let (store, patience) = self.next();
        let Answer::Done(answer) = self.report.call("load", patience, store.load(&key)).await else { return };
        let session = &mut self.sessions[at];
        match answer {
            Ok(Some((record, revision))) => {
                let value = record.data.get::<u64>("n").ok().flatten().unwrap_or(u64::MAX);
                if value == session.value {
                    if session.unanswered.is_empty() && record.expires_at < session.expires_at {
                        self.report.wrong("an acknowledged touch or write is lost: the expiry is earlier");
                    }
                    session.revision = revision;
                } else if session.unanswered.contains(&value) {
                    session.unanswered.clear();
                    (session.value, session.revision, session.expires_at) = (value, revision, record.expires_at);
                } else {
                    self.report.wrong("an acknowledged write is lost: an earlier value is there");
                    (session.value, session.revision, session.expires_at) = (value, revision, record.expires_at);
                }
            }
            Ok(None) => {
                if !session.may_be_gone && session.may_be_at.is_none() {
                    self.report.wrong("an acknowledged write is lost: a live session is gone");
                }
                self.forget(at);
            }
            Err(error) => self.report.wrong(&format!("load: {error}")),
        }
    }

    async fn update(&mut self, at: usize) {
        let record = self.record(LIFE, self.sessions[at].is_owned);
        let (value, expires_at) = (self.values, record.expires_at);
        let (key, revision) = (self.sessions[at].key.clone(), self.sessions[at].revision);
        let (store, patience) = self.next();
        match self.report.call("update", patience, store.update(&key, revision, &record)).await {
            Answer::Done(Ok(revision)) => {
                let session = &mut self.sessions[at];
                session.unanswered.clear();
                (session.value, session.revision, session.expires_at) = (value, revision, expires_at);
            }
            Answer::Done(Err(error)) => self.refused("update", at, &error).await,
            Answer::Unknown => self.sessions[at].unanswered.push(value),
        }
    }

    async fn touch(&mut self, at: usize) {
        let (key, expires_at) = (self.sessions[at].key.clone(), SystemClock.now().saturating_add(LIFE));
        let (store, patience) = self.next();
        match self.report.call("touch", patience, store.touch(&key, expires_at)).await {
            Answer::Done(Ok(())) => self.sessions[at].expires_at = expires_at.max(self.sessions[at].expires_at),
            Answer::Done(Err(error)) => self.refused("touch", at, &error).await,
            Answer::Unknown => {}
        }
    }

    async fn rotate(&mut self, at: usize) {
        let (new, record) = (fresh_key(), self.record(LIFE, self.sessions[at].is_owned));
        let (value, expires_at) = (self.values, record.expires_at);
        let (key, revision) = (self.sessions[at].key.clone(), self.sessions[at].revision);
        let (store, patience) = self.next();
        match self.report.call("rotate", patience, store.rotate(&key, revision, &new, &record)).await {
            Answer::Done(Ok(revision)) => {
                self.end(key, Instant::now());
                let session = &mut self.sessions[at];
                session.unanswered.clear();
                (session.key, session.value, session.revision, session.expires_at) = (new, value, revision, expires_at);
            }
            Answer::Done(Err(error)) => self.refused("rotate", at, &error).await,
            Answer::Unknown => self.sessions[at].may_be_at = Some(new),
        }
    }

    /// An update, touch or rotation that the store refused: right only if an unanswered call may have done it.
    async fn refused(&mut self, call: &str, at: usize, error: &Error) {
        let session = &self.sessions[at];
        match error {
            Error::NotFound if session.may_be_gone => self.forget(at),
            Error::Conflict if !session.unanswered.is_empty() => self.load(at).await,
            error => {
                self.report.wrong(&format!("{call} of a session of which nothing is in doubt: {error}"));
                self.forget(at);
            }
        }
    }

    /// Where a rotation got no answer the old key is ended first: then nothing can come to the new one any more.
    async fn log_out(&mut self, at: usize) {
        let key = self.sessions[at].key.clone();
        let (store, patience) = self.next();
        match self.report.call("delete", patience, store.delete(&key)).await {
            Answer::Done(Ok(was_live)) => {
                let session = &self.sessions[at];
                if !was_live && !session.may_be_gone && session.may_be_at.is_none() {
                    self.report.wrong("delete of a live session says that there was none");
                }
                let successor = self.sessions[at].may_be_at.take();
                self.end(key, Instant::now());
                match successor {
                    Some(successor) => (self.sessions[at].key, self.sessions[at].may_be_gone) = (successor, true),
                    None => self.forget(at),
                }
            }
            Answer::Done(Err(error)) => self.report.wrong(&format!("delete: {error}")),
            Answer::Unknown => self.sessions[at].may_be_gone = true,
        }
    }

    async fn log_out_everywhere(&mut self) {
        // What may be under two keys is ended key by key.
        if self.sessions.iter().any(|session| session.may_be_at.is_some()) {
            return;
        }
        let (store, patience) = self.next();
        let answer = self.report.call("delete_owned", patience, store.delete_owned(&self.owner, None)).await;
        for session in self.sessions.iter_mut().filter(|session| session.is_owned) {
            session.may_be_gone = true;
        }
        match answer {
            Answer::Done(Ok(_)) => {
                let (ended, rest) =
                    std::mem::take(&mut self.sessions).into_iter().partition(|session| session.is_owned);
                self.sessions = rest;
                let ended: Vec<Session> = ended;
                ended.into_iter().for_each(|session| self.end(session.key, Instant::now()));
            }
            Answer::Done(Err(error)) => self.report.wrong(&format!("delete_owned: {error}")),
            Answer::Unknown => {}
        }
    }

    async fn list(&mut self) {
        let (store, patience) = self.next();
        let (scope, page) = (Scope::Owner(&self.owner), Page::first(500));
        match self.report.call("list", patience, store.list(scope, &page)).await {
            Answer::Done(Ok(listing)) => {
                let is_listed = |key: &SessionKey| listing.sessions.iter().any(|session| session.key == *key);
                let now = Instant::now();
                if self.ended.iter().any(|(key, since)| *since < now - Duration::from_secs(3) && is_listed(key)) {
                    self.report.wrong("the owner's list shows a session that ended");
                }
                let is_sure =
                    |session: &&Session| session.is_owned && !session.may_be_gone && session.may_be_at.is_none();
                if !self.sessions.iter().filter(is_sure).all(|session| is_listed(&session.key)) {
                    self.report.wrong("the owner's list lacks a live session");
                }
            }
            Answer::Done(Err(error)) => self.report.wrong(&format!("list: {error}")),
            Answer::Unknown => {}
        }
    }

    async fn look_at_what_ended(&mut self) {
        let at = self.random.below(self.ended.len().max(1) as u64) as usize;
        if let Some((key, since)) = self.ended.get(at).cloned() {
            self.must_be_gone(&key, since).await;
        }
    }

    async fn must_be_gone(&mut self, key: &SessionKey, since: Instant) {
        if Instant::now() < since {
            return;
        }
        let (store, patience) = self.next();
        match self.report.call("load", patience, store.load(key)).await {
            Answer::Done(Ok(Some(_))) => {
                self.report.wrong("an acknowledged ending is undone: the session is live");
            }
            Answer::Done(Err(error)) => self.report.wrong(&format!("load of what ended: {error}")),
            Answer::Done(Ok(None)) | Answer::Unknown => {}
        }
    }

    /// Any of the handles. One call in thirty is given up after a tenth of a second, as by a browser that leaves.
    fn next(&mut self) -> (Arc<dyn SessionIndex>, Option<Duration>) {
        let patience = (self.random.below(30) == 0).then_some(Duration::from_millis(100));
        (self.stores[self.random.below(2) as usize].clone(), patience)
    }

    fn record(&mut self, life: Duration, is_owned: bool) -> Record {
        self.values += 1;
        let now = SystemClock.now();
        let padding = "x".repeat(self.random.below(1500) as usize);
        let data = Data::parse(format!(r#"{{"n":{},"x":"{padding}"}}"#, self.values)).expect("the text is an object");
        let record = Record::new(data, now, now.saturating_add(life));
        if is_owned { record.with_owner(self.owner.clone()) } else { record }
    }

    fn end(&mut self, key: SessionKey, since: Instant) {
        self.ended.push_back((key, since));
        if self.ended.len() > 60 {
            self.ended.pop_front();
        }
    }

    fn forget(&mut self, at: usize) {
        self.sessions.swap_remove(at);
    }
}

pub(crate) fn fresh_key() -> SessionKey {
    SessionKey::derive("soak", &SessionId::generate().expect("the system has random bytes"))
}

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }
}
