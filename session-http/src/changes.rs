//! What a request did to the values, name by name, so that it can be done again to what other requests stored meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use session_core::Data;

use crate::Error;
use crate::meta::only_own;
use crate::values::Values;

/// The text of a value.
pub(crate) type Value = Arc<RawValue>;

/// A name and what it is set to, or `None` where it is removed.
pub(crate) type Edit = (Arc<str>, Option<Value>);

/// A closure of the handler's over one value; `None` when it changes nothing. It runs again on a fresh value.
pub(crate) type Modify = dyn Fn(Option<&RawValue>) -> Result<Option<Value>, Error> + Send + Sync;

/// What a request did to the values. What ends as it began is no change, but to clear is one: other requests may have set something.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    cleared: bool,
    /// Each name once, in the order in which they were first changed; `None` for one that came to nothing.
    changes: Vec<Option<Change>>,
    /// Where the name of each change is, if there are many.
    places: Option<HashMap<Arc<str>, usize>>,
    /// How many came to something.
    many: usize,
    /// Closures that are not wanted any more. They are the handler's, and not dropped under a lock.
    thrown: Vec<Arc<Modify>>,
    /// An attempt to store them was not answered, so what ends as it began may be a change of what is stored by now.
    keeps_all: bool,
}

#[derive(Clone)]
struct Change {
    name: Arc<str>,
    /// What it was put to; `None` if it begins with what is stored.
    put: Option<Option<Value>>,
    /// What was done to it since.
    then: Vec<Arc<Modify>>,
    /// What the handler sees.
    shown: Option<Value>,
    /// It was removed at some time: set again, it comes last.
    was_removed: bool,
}

impl Changes {
    /// So many are found by looking at each.
    const FEW: usize = 16;

    pub(crate) fn is_empty(&self) -> bool {
        !self.cleared && self.many == 0
    }

    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared
    }

    /// Returns what the handler made of a name: `None` if it left it alone.
    pub(crate) fn shown(&self, name: &str) -> Option<Option<&Value>> {
        match self.place(name).and_then(|place| self.changes[place].as_ref()) {
            Some(change) => Some(change.shown.as_ref()),
            None => self.cleared.then_some(None),
        }
    }

    /// Says whether the handler gave a name a value.
    pub(crate) fn sets_something(&self) -> bool {
        self.changes.iter().flatten().any(|change| change.shown.is_some())
    }

    /// Sets (`Some`) or removes a value, of which `before` is what it was before all of these changes.
    pub(crate) fn put(&mut self, name: &str, value: Option<Value>, before: Option<&RawValue>) {
        let is_as_before = !self.cleared && !self.keeps_all && text(value.as_deref()) == text(before);
        let known = self.place(name);
        let was_removed = value.is_none() || known.is_some_and(|place| self.was_removed(place));
        if is_as_before && (value.is_none() || !was_removed) {
            self.forget(name);
            return;
        }
        let place = match known {
            // What was removed and is set again comes last.
            Some(place) if self.is_shown(place) || value.is_none() => place,
            _ => self.place_last(name),
        };
        if let Some(change) = &mut self.changes[place] {
            change.put = Some(value.clone());
            self.thrown.append(&mut change.then);
            change.shown = value;
            change.was_removed = was_removed;
        }
    }

    /// Does something to a value, which made it `shown`; `before` is what it was before all of these changes.
    pub(crate) fn modify(&mut self, name: &str, modify: Arc<Modify>, shown: Value, before: Option<&RawValue>) {
        let place = self.place(name).unwrap_or_else(|| self.place_last(name));
        let is_as_before = !self.cleared && !self.keeps_all && Some(shown.get()) == text(before);
        if let Some(change) = &mut self.changes[place] {
            change.then.push(modify);
            change.shown = Some(shown);
            if is_as_before && !change.was_removed {
                self.forget(name);
            }
        }
    }

    /// An attempt to store these was not answered: nothing that is set from now on comes to nothing.
    pub(crate) fn keep_all(&mut self) {
        self.keeps_all = true;
    }

    /// Says whether what is stored may be another thing than what was loaded, by these changes.
    pub(crate) fn keeps_all(&self) -> bool {
        self.keeps_all && !self.is_empty()
    }

    /// Hands out the closures that are not wanted any more.
    pub(crate) fn take_thrown(&mut self) -> Vec<Arc<Modify>> {
        std::mem::take(&mut self.thrown)
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        let closures = self.changes.iter_mut().flatten().flat_map(|change| change.then.drain(..));
        let thrown: Vec<_> = closures.chain(self.thrown.drain(..)).collect();
        *self = Self { cleared: true, thrown, keeps_all: self.keeps_all, ..Self::default() };
    }

    /// Does what came later after this.
    pub(crate) fn extend(&mut self, later: Self) {
        let keeps_all = self.keeps_all || later.keeps_all;
        if later.cleared {
            *self = Self { keeps_all, ..later };
            return;
        }
        self.keeps_all = keeps_all;
        for change in later.changes.into_iter().flatten() {
            let name = change.name.clone();
            let place = match self.place(&name) {
                Some(place) if self.is_shown(place) || change.shown.is_none() => place,
                Some(place) if change.put.is_none() => place,
                _ => self.place_last(&name),
            };
            if let Some(mine) = &mut self.changes[place] {
                if change.put.is_some() {
                    mine.put = change.put;
                    mine.then.clear();
                }
                mine.then.extend(change.then);
                mine.shown = change.shown;
                mine.was_removed |= change.was_removed;
            }
        }
    }

    /// Drops what was removed and set again to what is stored, where the order of the names does not matter.
    pub(crate) fn drop_unmoved(&mut self, data: &Data) {
        let is_unmoved = |change: &Change| {
            change.was_removed
                && change.shown.is_some()
                && text(change.shown.as_deref()) == text(data.raw(&change.name))
        };
        let unmoved: Vec<_> =
            self.changes.iter().flatten().filter(|change| is_unmoved(change)).map(|c| c.name.clone()).collect();
        if !self.cleared {
            unmoved.iter().for_each(|name| self.forget(name));
        }
    }

    /// Says whether some name was removed at some time.
    pub(crate) fn has_removed(&self) -> bool {
        self.changes.iter().flatten().any(|change| change.was_removed)
    }

    /// Says whether a closure has to run again when what is stored has changed.
    pub(crate) fn has_closures(&self) -> bool {
        self.changes.iter().flatten().any(|change| !change.then.is_empty())
    }

    /// Does all of it to what is stored now, by running the closures again. They are the handler's: no lock may be held.
    pub(crate) fn replay(&mut self, data: &Data) -> Result<(), Error> {
        let mut stored = Values::new(if self.cleared { Data::empty() } else { data.clone() });
        for change in self.changes.iter_mut().flatten() {
            let mut value: Option<Value> =
                change.put.clone().unwrap_or_else(|| stored.find(&change.name).into_value(&change.name));
            for modify in &change.then {
                value = modify(value.as_deref())?.or(value);
            }
            change.shown = value;
        }
        Ok(())
    }

    /// Returns the data with these changes where the order of the names counts, so that one that was removed and set again has changed.
    pub(crate) fn apply_in_order_to(&self, data: &Data) -> Option<Data> {
        let was_removed = || self.changes.iter().flatten().any(|change| change.was_removed);
        self.apply_to(data, &[]).or_else(|| was_removed().then(|| self.rewrite(data, &[])))
    }

    /// Returns the data with these changes and some edits, or `None` if that is what it was.
    pub(crate) fn apply_to(&self, data: &Data, own: &[Edit]) -> Option<Data> {
        let mut edits = self.changes.iter().flatten().map(|change| (&*change.name, change.shown.as_deref()));
        if !self.cleared && !self.has_removed() {
            let own = own.iter().map(|(name, value)| (&**name, value.as_deref()));
            return data.changed_by(&edits.chain(own).collect::<Vec<_>>());
        }
        let differs = |(name, value): (&str, Option<&RawValue>)| text(data.raw(name)) != text(value);
        if !self.cleared && own.is_empty() && !edits.any(differs) {
            return None;
        }
        Some(self.rewrite(data, own))
    }

    /// Puts what was removed at the end, if it was set again.
    fn rewrite(&self, data: &Data, own: &[Edit]) -> Data {
        let edits = self.changes.iter().flatten().map(|change| (&*change.name, change.shown.as_deref()));
        let own = own.iter().map(|(name, value)| (&**name, value.as_deref()));
        let removed = self.changes.iter().flatten().filter(|change| change.was_removed);
        let removed: Vec<_> = removed.map(|change| (&*change.name, None)).collect();
        // What is the session's own is none of its values.
        let base = if self.cleared { only_own(data) } else { data.with_changes(&removed) };
        base.with_changes(&edits.chain(own).collect::<Vec<_>>())
    }

    fn was_removed(&self, place: usize) -> bool {
        self.changes[place].as_ref().is_some_and(|change| change.was_removed)
    }

    fn is_shown(&self, place: usize) -> bool {
        self.changes[place].as_ref().is_some_and(|change| change.shown.is_some())
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.changes.iter().position(|change| change.as_ref().is_some_and(|change| &*change.name == name)),
        }
    }

    /// Puts a name at the end, with what is known of it.
    fn place_last(&mut self, name: &str) -> usize {
        let known = self.place(name).and_then(|place| self.changes[place].take());
        self.many += usize::from(known.is_none());
        let new = || Change { name: name.into(), put: None, then: Vec::new(), shown: None, was_removed: false };
        let change = known.unwrap_or_else(new);
        if self.changes.len() > 2 * self.many + Self::FEW {
            self.changes.retain(Option::is_some);
            self.places = None;
        }
        let place = self.changes.len();
        if let Some(places) = &mut self.places {
            places.insert(change.name.clone(), place);
        }
        self.changes.push(Some(change));
        if self.places.is_none() && self.changes.len() > Self::FEW {
            let names =
                self.changes.iter().zip(0..).filter_map(|(change, place)| Some((change.as_ref()?.name.clone(), place)));
            self.places = Some(names.collect());
        }
        place
    }

    fn forget(&mut self, name: &str) {
        if let Some(place) = self.place(name) {
            if let Some(mut change) = self.changes[place].take() {
                self.thrown.append(&mut change.then);
            }
            self.many -= 1;
        }
        if let Some(places) = &mut self.places {
            places.remove(name);
        }
    }
}

pub(crate) fn text(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::write;

    fn data(text: &str) -> Data {
        Data::parse(text).expect("the test's text is an object")
    }

    /// Changes of a handler to what is stored.
    struct Handler(Data, Changes);

    impl Handler {
        fn put(&mut self, name: &str, value: Option<u8>) {
            let value = value.map(|value| write(&value).expect("a number is JSON"));
            self.1.put(name, value, self.0.raw(name));
        }

        fn add(&mut self, name: &str) {
            let add = |before: Option<&RawValue>| {
                let before: u8 = before.map_or(0, |text| text.get().parse().unwrap_or(0));
                Ok(Some(write(&(before + 1))?))
            };
            let before = self.1.shown(name).map(|shown| shown.cloned());
            let before = before.unwrap_or_else(|| self.0.raw(name).map(|value| value.to_owned().into()));
            let shown = add(before.as_deref()).ok().flatten().expect("it is a number");
            self.1.modify(name, Arc::new(add), shown, self.0.raw(name));
        }

        fn stored(&self) -> Option<String> {
            self.1.apply_to(&self.0, &[]).map(|data| data.as_str().to_owned())
        }
    }

    #[test]
    fn others_keep_their_text_and_what_is_removed_and_set_again_comes_last() {
        let mut handler = Handler(data(r#"{"a":1, "b":1.10}"#), Changes::default());
        handler.put("a", Some(2));
        handler.put("c", Some(3));
        assert_eq!(handler.stored().as_deref(), Some(r#"{"a":2,"b":1.10,"c":3}"#));
        handler.put("a", None);
        handler.put("a", Some(4));
        assert_eq!(handler.stored().as_deref(), Some(r#"{"b":1.10,"c":3,"a":4}"#));
    }

    #[test]
    fn what_ends_as_it_began_is_no_change_and_to_clear_is_one() {
        let mut handler = Handler(data(r#"{"a": 1}"#), Changes::default());
        handler.put("a", Some(2));
        handler.put("a", Some(1));
        handler.put("b", Some(1));
        handler.put("b", None);
        assert_eq!(handler.stored(), None);
        handler.1.clear();
        assert_eq!(handler.stored().as_deref(), Some("{}"));
        handler.put("a", Some(1));
        assert_eq!(handler.stored().as_deref(), Some(r#"{"a":1}"#));
    }

    #[test]
    fn a_closure_runs_again_on_what_others_stored_and_a_put_does_not_look() {
        let mut handler = Handler(data(r#"{"n":1,"m":1}"#), Changes::default());
        handler.add("n");
        handler.add("n");
        handler.put("m", Some(5));
        handler.add("m");
        let others = data(r#"{"n":10,"m":10,"theirs":0}"#);
        handler.1.replay(&others).expect("the values are numbers");
        let merged = handler.1.apply_to(&others, &[]).expect("it differs");
        assert_eq!(merged.as_str(), r#"{"n":12,"m":6,"theirs":0}"#);
    }

    #[test]
    fn work_that_failed_goes_before_what_came_meanwhile() {
        let stored = data(r#"{"n":1}"#);
        let (mut first, mut later) =
            (Handler(stored.clone(), Changes::default()), Handler(data(r#"{"n":2,"x":1}"#), Changes::default()));
        first.add("n");
        first.put("x", Some(1));
        later.add("n");
        later.put("x", None);
        first.1.extend(later.1);
        assert_eq!(first.stored().as_deref(), Some(r#"{"n":3}"#));
        first.1.replay(&data(r#"{"n":5}"#)).expect("the values are numbers");
        assert_eq!(first.1.apply_to(&stored, &[]).expect("it differs").as_str(), r#"{"n":7}"#);
    }

    #[test]
    fn many_changes_of_one_name_take_the_place_of_one() {
        let mut handler = Handler(data("{}"), Changes::default());
        for round in 0..10_000 {
            handler.put("a", Some((round % 2) as u8));
            handler.put("a", None);
        }
        assert!(handler.1.changes.len() < 100);
    }
}
