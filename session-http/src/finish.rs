//! The end of a request: the last commit, and what goes on when nobody waits for it any more.

use std::pin::pin;
use std::sync::Arc;

use crate::Error;
use crate::config::Config;
use crate::events::{self, Reason};
use crate::progress::Step;
use crate::request::{Inner, Phase, Request};
use crate::rules::{Note, Occasion};
use crate::state::Chore;
use crate::tell::{News, ResponseHeaders};

impl Request {
    /// Stores the changes for the last time before the head is sent.
    pub(crate) async fn commit(self: &Arc<Self>) -> Result<ResponseHeaders, Error> {
        if self.with_visit(|_, visit| visit.is_some_and(|visit| visit.ends_unset())) {
            self.end(Reason::Unset);
        }
        let settled = self.in_time(pin!(self.settle(Occasion::End))).await;
        if let Err(error) = settled {
            self.progress.go_on(Step::Answered);
            let mut inner = self.lock();
            let Inner { phase: Phase::Open(state), visit } = &mut *inner else { return Err(error) };
            let is_of_quiet_rules = visit.as_ref().is_some_and(|visit| visit.drops_quietly());
            let is_loud =
                if is_of_quiet_rules { state.lost().changes_id() } else { self.is_loud || state.lost().is_loud() };
            let is_quiet = matches!(error, Error::Ended) && !is_loud;
            let forgets = self.sessions.failure.delivers(state.lost(), &error);
            if forgets == Some(true) {
                state.news.add(News::Ended);
            }
            // The client is told that it failed, or never.
            state.forget_work();
            if let Some(visit) = visit {
                visit.note(Note::Failed);
            }
            drop(inner);
            self.empty_trash();
            if !matches!(error, Error::Ended) {
                events::commit_failed(&error);
            }
            if forgets.is_none() && !is_quiet {
                return Err(error);
            }
        }
        Ok(self.response_headers())
    }

    /// Says whether a new id is there that nobody can be told any more.
    pub(crate) fn has_untold_id(&self) -> bool {
        self.progress.is_answered() && self.with_state(|state| state.note_unreachable())
    }

    pub(crate) fn has_unfinished(&self) -> bool {
        let has_chores = match &self.lock().phase {
            Phase::Open(state) => !state.chores.is_empty(),
            Phase::Unopened | Phase::Failed => return false,
        };
        has_chores || self.progress.step() == Step::Finishing || self.turn.is_busy()
    }

    /// Brings to its end what nobody waits for any more.
    pub(crate) async fn finish(self: &Arc<Self>) {
        // It has as long once more, and is given up then.
        self.turn.wait_anew();
        let finished = {
            let finishing = pin!(async {
                if self.progress.step() == Step::Finishing {
                    return self.settle(Occasion::End).await;
                }
                let mut turn = self.turn.take().await;
                self.finish_running(&mut turn).await
            });
            // With its end the turn is free again.
            self.in_time(finishing).await
        };
        match finished {
            Ok(()) | Err(Error::HeadSent | Error::Ended) => {}
            Err(error) => {
                events::commit_failed(&error);
                let _ = self.finish_running(&mut self.turn.take().await).await;
            }
        }
        self.has_untold_id();
        for chore in self.with_state(|state| std::mem::take(&mut state.chores)) {
            let _ = self.sessions.in_time(pin!(self.sessions.do_chore(chore))).await;
        }
    }
}

impl Config {
    async fn do_chore(&self, chore: Chore) -> Result<(), Error> {
        match chore {
            Chore::EndExcess(owner) => self.end_backlog(&owner).await.inspect_err(events::limit_not_kept),
            Chore::EndUnreachable(key) => {
                if self.store().delete(&key).await? {
                    events::destroyed(&key, Reason::Unreachable);
                }
                Ok(())
            }
        }
    }
}
