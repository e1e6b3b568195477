//! What a handler may do to a session, and what the session should be afterwards.

use std::collections::BTreeMap;

use session_http::Session;

use crate::random::Random;

/// What a handler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Set(&'static str, i64),
    Remove(&'static str),
    Clear,
    Add(&'static str),
    Login(&'static str),
    Logout,
    Regenerate,
    ForgetOwner,
    Rotate,
    Reauthenticate,
    Save,
    Reload,
    ShortAge,
    EndOthers,
}

/// What a session should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) owner: Option<String>,
    pub(crate) values: BTreeMap<String, i64>,
}

impl Step {
    pub(crate) fn of(random: &mut Random) -> Self {
        let name = *random.pick(&["a", "b", "c"]);
        match random.below(17) {
            0 | 1 => Self::Set(name, i64::try_from(random.below(3)).unwrap_or_default()),
            2 => Self::Remove(name),
            3 => Self::Clear,
            4 => Self::Add(name),
            5 | 6 => {
                let user = *random.pick(&["ada", "bob"]);
                Self::Login(user)
            }
            7 => Self::Logout,
            8 => Self::Regenerate,
            9 => Self::ForgetOwner,
            10 => Self::Rotate,
            11 => Self::Reauthenticate,
            12 | 13 => Self::Save,
            14 => Self::Reload,
            15 => Self::ShortAge,
            _ => Self::EndOthers,
        }
    }

    /// Says whether the id that the request presented is dead afterwards.
    pub(crate) fn ends_the_id(self) -> bool {
        use Step::{EndOthers, ForgetOwner, Login, Logout, Reauthenticate, Regenerate, Rotate};
        matches!(self, Login(_) | Logout | Regenerate | ForgetOwner | Rotate | Reauthenticate | EndOthers)
    }
}

impl Model {
    pub(crate) fn of(session: &Session) -> Self {
        let owner = session.owner().map(|owner| owner.as_str().to_owned());
        Self { owner, values: session.values().expect("all are numbers") }
    }

    pub(crate) fn apply(&mut self, step: Step) {
        match step {
            Step::Set(name, value) => drop(self.values.insert(name.into(), value)),
            Step::Remove(name) => drop(self.values.remove(name)),
            Step::Clear => self.values.clear(),
            Step::Add(name) => *self.values.entry(name.into()).or_default() += 1,
            Step::Login(user) => {
                if self.owner.as_deref().is_some_and(|owner| owner != user) {
                    self.values.clear();
                }
                self.owner = Some(user.into());
            }
            Step::Logout | Step::Regenerate => *self = Self::default(),
            Step::ForgetOwner => self.owner = None,
            Step::Rotate | Step::Reauthenticate | Step::Save | Step::Reload | Step::ShortAge | Step::EndOthers => {}
        }
    }
}
