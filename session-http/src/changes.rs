//! What this request did to the data, in order, so that it can be done again to a fresh record.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::Error;
use crate::draft::{Draft, is_own};

/// A closure of the handler's over one value; `None` when it changes nothing. It runs again on a fresh record.
pub(crate) type Modify = dyn Fn(Option<&RawValue>) -> Result<Option<Arc<RawValue>>, Error> + Send + Sync;

#[derive(Clone)]
pub(crate) enum Change {
    Put(Arc<str>, Option<Arc<RawValue>>),
    Modify(Arc<str>, Arc<Modify>),
    Clear,
}

/// The changes in order, numbered, so that what was written can be told from what came while it was being written.
#[derive(Clone, Default)]
pub(crate) struct ChangeLog {
    entries: Vec<(u64, Change)>,
    last: u64,
}

impl Change {
    /// Does it to a draft. A closure of the handler's runs here: no lock may be held.
    pub(crate) fn apply(&self, draft: &mut Draft) -> Result<(), Error> {
        match self {
            Self::Put(name, value) => draft.put(name, value.clone()),
            Self::Modify(name, modify) => {
                if let Some(value) = modify(draft.find(name).raw(name))? {
                    draft.put(name, Some(value));
                }
            }
            Self::Clear => draft.clear(),
        }
        Ok(())
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Put(name, _) | Self::Modify(name, _) => Some(name),
            Self::Clear => None,
        }
    }
}

impl ChangeLog {
    /// Adds a change and forgets those that it makes pointless, so that the log does not grow with every `set`.
    pub(crate) fn push(&mut self, change: Change) {
        match &change {
            Change::Put(name, _) => self.entries.retain(|(_, earlier)| earlier.name() != Some(name)),
            Change::Modify(..) => {}
            // What is the session's own is not one of its values.
            Change::Clear => self.entries.retain(|(_, earlier)| earlier.name().is_some_and(is_own)),
        }
        self.last += 1;
        self.entries.push((self.last, change));
    }

    /// Gives a value that was put another text; its place stays.
    pub(crate) fn amend(&mut self, name: &str, text: &Option<Arc<RawValue>>) {
        for (_, change) in &mut self.entries {
            if let Change::Put(put, value) = change
                && &**put == name
            {
                value.clone_from(text);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of the latest change; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Forgets the changes up to one of them, which have been written.
    pub(crate) fn forget(&mut self, up_to: u64) {
        self.entries.retain(|(number, _)| *number > up_to);
    }

    /// Does the changes that are later than `after` to a draft.
    pub(crate) fn replay(&self, after: u64, draft: &mut Draft) -> Result<(), Error> {
        self.entries.iter().filter(|(number, _)| *number > after).try_for_each(|(_, change)| change.apply(draft))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::write;

    fn set(name: &str, value: u8) -> Change {
        Change::Put(name.into(), Some(write(&value).expect("a number is JSON")))
    }

    #[test]
    fn later_changes_replace_the_earlier_ones_they_make_pointless() {
        let mut log = ChangeLog::default();
        for value in 0..100 {
            log.push(set("a", value));
            log.push(Change::Put("b".into(), None));
        }
        assert_eq!(log.entries.len(), 2);
        let mut draft = Draft::default();
        log.replay(0, &mut draft).expect("nothing is read");
        assert_eq!(draft.to_data().as_str(), r#"{"a":99}"#);
        log.push(Change::Clear);
        assert_eq!(log.entries.len(), 1);
        log.forget(log.last());
        assert!(log.is_empty());
    }
}
