//! A history that cannot be explained, made small enough to read, with the calls marked for which there is no place.

use std::collections::BTreeSet;

use crate::history::{Answered, Asked, Event, explained, is_explained};

/// Writes an unexplained history, without what can be left out of it: calls about other keys, and calls that change nothing and
/// without which it still cannot be explained.
pub(crate) fn written(history: &[Event]) -> String {
    let small = shrunk(history);
    let placed = explained(&small).err().unwrap_or_default();
    let is_left = |call: usize| placed & (1 << call) == 0;
    // What began after another one ended that has no place cannot be what is wrong.
    let first_end =
        (0..small.len()).filter(|call| is_left(*call)).map(|call| small[call].ended).min().unwrap_or_default();
    let lines = small.iter().enumerate().map(|(call, event)| {
        let mark = if is_left(call) && event.began < first_end { "   ← no place for this one" } else { "" };
        format!("\n      {event}{mark}")
    });
    let left_out = history.len() - small.len();
    format!("{} ({left_out} calls that do not matter are left out)", lines.collect::<String>())
}

/// Both ways of leaving out are sound: an explanation of all calls is one of those that are left, too.
fn shrunk(history: &[Event]) -> Vec<Event> {
    let mut small = history.to_vec();
    small.sort_by_key(|event| event.began);
    if let Some(part) = parts(&small).into_iter().find(|part| !is_explained(part)) {
        small = part;
    }
    for call in (0..small.len()).rev() {
        if changes_nothing(&small[call]) {
            let event = small.remove(call);
            if is_explained(&small) {
                small.insert(call, event);
            }
        }
    }
    small
}

/// Splits a history by keys; those that a rotation joins stay together.
fn parts(history: &[Event]) -> Vec<Vec<Event>> {
    let mut groups: Vec<BTreeSet<u8>> = Vec::new();
    for event in history {
        let mut group: BTreeSet<u8> = keys(event.asked).collect();
        let (joined, apart): (Vec<BTreeSet<u8>>, Vec<BTreeSet<u8>>) =
            groups.into_iter().partition(|other| !other.is_disjoint(&group));
        group.extend(joined.into_iter().flatten());
        groups = apart;
        groups.push(group);
    }
    let of = |group: &BTreeSet<u8>| {
        history.iter().filter(|event| keys(event.asked).any(|key| group.contains(&key))).copied().collect()
    };
    groups.iter().map(of).collect()
}

fn keys(asked: Asked) -> impl Iterator<Item = u8> {
    let (one, two) = match asked {
        Asked::Create { key, .. }
        | Asked::Load { key }
        | Asked::Update { key, .. }
        | Asked::Touch { key, .. }
        | Asked::Delete { key } => (key, None),
        Asked::Rotate { old, new, .. } => (old, Some(new)),
    };
    std::iter::once(one).chain(two)
}

fn changes_nothing(event: &Event) -> bool {
    matches!(event.answered, Answered::Loaded(_) | Answered::Refused(_) | Answered::Deleted(false))
}

#[cfg(test)]
mod tests {
    use session_core::Revision;

    use super::*;
    use crate::history::Stored;

    #[test]
    fn what_is_left_is_still_unexplained_and_the_call_without_a_place_is_marked() {
        let revision = Revision::from_number(1);
        let event = |began, asked, answered| Event { client: 0, began, ended: began + 1, asked, answered };
        let created =
            |began, key| event(began, Asked::Create { key, data: 1, expires: 9 }, Answered::Written(revision));
        let stored = Stored { data: 1, expires: 9, revision };
        let history = [
            created(0, 0),
            created(2, 1),
            event(4, Asked::Load { key: 0 }, Answered::Loaded(Some(stored))),
            event(6, Asked::Delete { key: 0 }, Answered::Deleted(true)),
            event(8, Asked::Load { key: 0 }, Answered::Loaded(Some(stored))),
            event(10, Asked::Load { key: 1 }, Answered::Loaded(Some(stored))),
        ];
        let text = written(&history);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("client")).collect();
        assert_eq!(lines.len(), 3, "{text}");
        let marked: Vec<bool> = lines.iter().map(|line| line.contains('←')).collect();
        assert_eq!(marked, [false, false, true], "{text}");
        assert!(lines[2].contains("8–9") && text.contains("3 calls"), "{text}");
    }
}
