//! What a commit works on, and how its outcome gets back into the state.

use session_core::{Data, Expiry, Record, SessionKey, Timestamp};

use crate::changes::ChangeLog;
use crate::draft::Draft;
use crate::events::{self, Reason};
use crate::express::{Action, ExpressCookie, Occasion};
use crate::shared::Shared;
use crate::state::{CookieOrder, Ended, Line, State, Stored, Wishes};
use crate::{Error, SessionConfig};

/// The state at the beginning of a commit, then what the store says. The handler may go on writing to the state meanwhile.
pub(crate) struct Plan {
    pub(crate) line: Line,
    pub(crate) lines: u64,
    pub(crate) draft: Draft,
    pub(crate) log: ChangeLog,
    pub(crate) wishes: Wishes,
    pub(crate) head_sent: bool,
    /// The login adds to the user's sessions.
    pub(crate) is_new_login: bool,
    /// Under the rules of Express: what is due, and the cookie that is kept with the values.
    pub(crate) express: Option<(Action, ExpressCookie)>,
    /// The cookie that was stored with what was loaded again.
    pub(crate) reloaded_cookie: Option<ExpressCookie>,
}

/// What one attempt did to the store.
pub(crate) enum Outcome {
    Nothing,
    Stored(Stored, CookieOrder),
    Destroyed,
    /// It was stored under this key, and other requests ended it.
    Gone(SessionKey),
}

/// Whether the session is still this request's to write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Settled,
    Gone,
}

impl Plan {
    pub(crate) fn of(state: &State, config: &SessionConfig, occasion: Occasion) -> Self {
        let rules = state.ledger.as_ref().zip(config.as_express());
        Self {
            express: rules.map(|(ledger, express)| (ledger.action(state, express, occasion), ledger.cookie.clone())),
            reloaded_cookie: None,
            line: state.line.clone(),
            lines: state.lines,
            draft: state.draft.clone(),
            log: state.log.clone(),
            wishes: state.wishes.clone(),
            head_sent: state.head_sent,
            is_new_login: false,
        }
    }

    /// Goes on with a new session that holds only what this request wrote.
    pub(crate) fn begin_anew(&mut self) -> Result<(), Error> {
        self.line = Line::New;
        self.draft = Draft::default();
        self.log.replay(0, &mut self.draft)
    }

    /// Returns what is due under the rules of Express.
    pub(crate) fn action(&self) -> Option<Action> {
        self.express.as_ref().map(|(action, _)| *action)
    }

    /// Returns when a session that is used now ends.
    pub(crate) fn expires_at(&self, policy: &Expiry, now: Timestamp, deadline: Option<Timestamp>) -> Timestamp {
        let own = match &self.express {
            Some((_, cookie)) => cookie.expires(now),
            None => self.draft.max_age().map(|age| now.saturating_add(age)),
        };
        let end = own.unwrap_or_else(|| policy.expires_at(now, deadline));
        deadline.map_or(end, |deadline| end.min(deadline))
    }

    /// Returns the record as it is stored: under the rules of Express, with the cookie.
    pub(crate) fn to_stored(&self, record: &Record, now: Timestamp) -> Record {
        let mut stored = record.clone();
        if let Some((_, cookie)) = &self.express {
            stored.data = cookie.with_values(&record.data, now);
        }
        stored
    }

    fn has_changes(&self) -> bool {
        !self.log.is_empty() || self.wishes.owner.is_some() || self.wishes.rotate
    }

    /// Returns what is stored, as far as the plan knows.
    fn data(&self) -> Data {
        match &self.line {
            Line::Stored(stored) => stored.record.data.clone(),
            Line::New | Line::Gone(_) | Line::Unloaded(_) => Data::empty(),
        }
    }
}

impl Shared {
    /// Takes the outcome of a commit into the state. What was written meanwhile stays, and waits for the next one.
    pub(crate) fn install(&self, plan: &Plan, outcome: Outcome) -> Fate {
        let (line, data, order) = match outcome {
            Outcome::Nothing => (plan.line.clone(), plan.data(), None),
            Outcome::Stored(stored, order) => {
                let data = stored.record.data.clone();
                (Line::Stored(stored), data, Some(order))
            }
            Outcome::Destroyed => (Line::New, Data::empty(), Some(CookieOrder::Remove)),
            Outcome::Gone(key) => {
                if plan.has_changes() {
                    events::gone_at_commit(&key);
                }
                (Line::Gone(key), Data::empty(), Some(CookieOrder::LeaveAlone))
            }
        };
        let fate = if let Line::Gone(_) = line { Fate::Gone } else { Fate::Settled };
        self.rebase(plan, plan.log.last(), Draft::new(data), |state| {
            state.is_limit_due |= plan.is_new_login && matches!(line, Line::Stored(_));
            state.line = line;
            state.log.forget(plan.log.last());
            if state.wishes.asked == plan.wishes.asked {
                state.wishes = Wishes { asked: plan.wishes.asked, ..Wishes::default() };
            }
            if let Some(order) = order {
                state.order(order);
            }
        });
        fate
    }

    /// Takes what was loaded again into the state; nothing was written.
    pub(crate) fn refresh(&self, plan: &Plan) {
        self.rebase(plan, plan.log.last(), plan.draft.clone(), |state| {
            state.line = plan.line.clone();
            if let Some(ledger) = &mut state.ledger {
                state.log.forget(plan.log.last());
                ledger.restore(plan.reloaded_cookie.clone());
            }
        });
    }

    /// Puts the changes that came after `replayed` on the draft, and installs it when there are no more.
    fn rebase(&self, plan: &Plan, mut replayed: u64, mut draft: Draft, install: impl FnOnce(&mut State)) {
        loop {
            let late = {
                let mut state = self.state();
                if state.lines != plan.lines {
                    // The line was ended while it was being written: it ends under the key that it has now.
                    let mut written = State::default();
                    install(&mut written);
                    if let Line::Stored(Stored { key, .. }) = written.line {
                        state.ended.retain(|ended| ended.key != key);
                        state.ended.push(Ended { key, reason: Reason::Logout });
                    }
                    return;
                }
                if state.log.last() == replayed {
                    install(&mut state);
                    state.draft = draft;
                    return;
                }
                state.log.clone()
            };
            // A closure that cannot read its value fails the next commit, which runs it again.
            let _ = late.replay(replayed, &mut draft);
            replayed = late.last();
        }
    }
}
