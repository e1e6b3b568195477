//! What is done with each case: decided when they are listed, and not when they run.

use session_core::BoxError;

use crate::case::Case;
use crate::cases;
use crate::rule::{Requirement, Rule};
use crate::suite::Suite;

/// What is to be done with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    Run,
    Ignore(String),
    Waive(String),
}

impl Suite {
    /// Says what is to be done with a case.
    pub(crate) fn plan(&self, case: &Case) -> Plan {
        let is_excused = std::env::var_os("CI").is_none();
        if let Some(reason) = &self.absence {
            return if is_excused { Plan::Ignore(reason.clone()) } else { Plan::Run };
        }
        if let Some(reason) = self.waivers.get(case.id) {
            Plan::Waive(reason.clone())
        } else if let Some(reason) = case.needs.iter().find_map(|need| self.lacks.get(need)) {
            Plan::Ignore(reason.clone())
        } else {
            Plan::Run
        }
    }

    /// Returns the cases in the order of the contract, or why the waivers cannot be.
    pub(crate) fn cases(&self) -> Result<Vec<Case>, BoxError> {
        for id in self.waivers.keys() {
            match Rule::find(id).map(|rule| rule.requirement) {
                Some(Requirement::Should) => {}
                Some(Requirement::Must) => return Err(format!("{id} is a MUST rule and cannot be waived").into()),
                None => return Err(format!("{id} is waived, and there is no such rule").into()),
            }
        }
        Ok(cases::all())
    }
}
