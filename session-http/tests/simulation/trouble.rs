//! A store that answers late, twice, not at all, or after the caller left, as the generator decides at every call.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Error, Result};

use crate::call::{Answer, Backend, Call};
use crate::executor::{Mailbox, World};
use crate::model::Model;

/// How much goes wrong between the application and its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Every call is answered, late at most.
    None,
    /// Some calls are not.
    Some,
    /// Every fifth is not.
    Much,
}

#[derive(Clone)]
pub(crate) struct TroubledStore {
    pub(crate) world: Arc<World>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) model: Arc<Model>,
    pub(crate) trouble: Arc<std::sync::Mutex<Trouble>>,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// The caller may leave, the call is made.
    Detached,
    /// Not made, and the caller is told so.
    Refused,
    /// Made, and the caller is told that it was not.
    AnswerLost,
    /// Made twice, the second time a while later.
    Twice,
    /// Somebody writes the same session just before.
    Overtaken,
    /// Made, or not, when nobody waits any more.
    Hangs(bool),
}

impl TroubledStore {
    pub(crate) fn calm(&self) {
        *self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Trouble::None;
    }

    fn fate(&self, call: &Call) -> Fate {
        let trouble = *self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let percent = match trouble {
            Trouble::None => 0,
            Trouble::Some => 5,
            Trouble::Much => 20,
        };
        if !self.world.chance(percent) {
            return if self.world.chance(50) { Fate::Answered } else { Fate::Detached };
        }
        match self.world.below(8) {
            0 | 1 => Fate::Refused,
            2 | 3 if call.is_write() => Fate::AnswerLost,
            4 if call.is_write() => Fate::Twice,
            5 if matches!(call, Call::Update(..) | Call::Rotate(..)) => Fate::Overtaken,
            6 => Fate::Hangs(false),
            7 => Fate::Hangs(true),
            _ => Fate::Detached,
        }
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer> {
        let request = self.world.running();
        let fate = self.fate(&call);
        self.wait().await;
        match fate {
            Fate::Answered => {
                let answer = self.make(request, &call, "");
                self.wait().await;
                answer
            }
            Fate::Detached => self.hand_over(request, call, "").take().await,
            Fate::Refused => {
                self.world.note(|| format!("    #{request} {} is refused", call.name()));
                Err(Error::unavailable("refused"))
            }
            Fate::AnswerLost => {
                let answer = self.make(request, &call, ", the answer is lost");
                self.wait().await;
                answer.and(Err(Error::unavailable("the answer was lost")))
            }
            Fate::Twice => {
                let answer = self.make(request, &call, "");
                // What created a record knows its revision again, and says so.
                if !may_be_late(&call) {
                    return answer;
                }
                let (store, again) = (self.clone(), call);
                self.world.spawn(request, async move {
                    store.world.sleep(Duration::from_millis(store.world.below(3000))).await;
                    drop(store.make(request, &again, " (again)"));
                });
                self.wait().await;
                answer
            }
            Fate::Overtaken => {
                self.overtake(&call);
                let answer = self.make(request, &call, " (overtaken)");
                self.wait().await;
                answer
            }
            Fate::Hangs(is_made) => {
                self.world.note(|| format!("    #{request} {} hangs", call.name()));
                if is_made && may_be_late(&call) {
                    let store = self.clone();
                    self.world.spawn(request, async move {
                        store.world.sleep(Duration::from_millis(store.world.below(15_000))).await;
                        store.model.known().nobody_waits = true;
                        drop(store.make(request, &call, " (late)"));
                        store.model.known().nobody_waits = false;
                    });
                }
                self.world.sleep(Duration::from_secs(60)).await;
                Err(Error::unavailable("no answer"))
            }
        }
    }

    async fn wait(&self) {
        match self.world.below(20) {
            // Never so long that a handful of calls takes longer than a request waits.
            0 => self.world.sleep(Duration::from_millis(self.world.below(900))).await,
            times @ 1..4 => self.world.pause(times).await,
            _ => {}
        }
    }

    /// Has the call made by a task that nobody can cancel.
    fn hand_over(&self, request: usize, call: Call, how: &'static str) -> Arc<Mailbox<Result<Answer>>> {
        let (store, mailbox) = (self.clone(), Mailbox::new());
        let answer = mailbox.clone();
        self.world.spawn(request, async move {
            store.wait().await;
            let made = store.make(request, &call, how);
            store.wait().await;
            answer.put(made);
        });
        mailbox
    }

    fn make(&self, request: usize, call: &Call, how: &str) -> Result<Answer> {
        let answer = self.backend.make(call);
        call.keys().into_iter().for_each(|key| drop(self.model.name(key)));
        self.world.note(|| {
            let said = match &answer {
                Err(error) => format!("{error}"),
                Ok(Answer::Loaded(None)) => "none".into(),
                Ok(Answer::Loaded(Some((record, _)))) => format!("found, {}", self.model.describe(record)),
                Ok(Answer::WasLive(was_live)) => format!("was live: {was_live}"),
                Ok(Answer::Number(number)) => format!("{number}"),
                Ok(Answer::Listing(listing)) => format!("{} sessions", listing.sessions.len()),
                Ok(Answer::Revision(_) | Answer::Done) => "done".into(),
            };
            let keys: Vec<String> = call.keys().into_iter().map(|key| self.model.name(key)).collect();
            format!("    #{request} {} {}{how}: {said}", call.name(), keys.join(" to "))
        });
        if let (Call::Load(key), Ok(Answer::Loaded(Some(_)))) = (call, &answer) {
            self.model.load(request, key);
        }
        self.model.observe(request, call, &self.backend.store, self.world.now());
        answer
    }

    /// Writes what is stored again, as a request of another process does that changes nothing of this one's.
    fn overtake(&self, call: &Call) {
        if let (Some(key), Ok(Answer::Loaded(Some((record, revision))))) = (
            call.keys().first(),
            call.keys().first().map_or(Ok(Answer::Done), |key| self.backend.make(&Call::Load((*key).clone()))),
        ) {
            drop(self.make(0, &Call::Update((*key).clone(), revision, record), ""));
        }
    }
}

/// What ends all sessions of a user would end those that began later, and what begins a session would bring it back: nobody could
/// tell such a copy from a call that is meant.
fn may_be_late(call: &Call) -> bool {
    !matches!(call, Call::Create(..) | Call::DeleteOwned(..) | Call::Clear)
}
