//! The order of expiries: a heap that knows where the entry of each node is.

use session_core::Timestamp;

use crate::room;

/// The place of a node among those of its shard. It changes when another node is removed.
pub(crate) type Slot = u32;

#[derive(Debug, Clone, Copy)]
struct Entry {
    due: Timestamp,
    slot: Slot,
}

/// One entry for each node, filed at a time at which the sweep looks at that node.
///
/// It is lazy: the time is never after the node's expiry and may be long before it, since a session that is used is
/// extended again and again, and looked at once. A tree of the standard library would take twice the memory.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    /// A binary heap: the entries at `2 * place + 1` and `2 * place + 2` are due no earlier than that at `place`.
    heap: Vec<Entry>,
    /// Where in the heap the entry of each slot is.
    places: Vec<u32>,
}

impl Expiries {
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Files the node of the next slot.
    pub(crate) fn push(&mut self, due: Timestamp) {
        let slot = number(self.heap.len());
        room::push(&mut self.heap, Entry { due, slot });
        room::push(&mut self.places, slot);
        self.settle(index(slot));
    }

    /// Removes the entry of a slot; the node of the last slot takes that slot.
    pub(crate) fn swap_remove(&mut self, slot: Slot) {
        let (place, last) = (index(self.places[index(slot)]), self.heap.len() - 1);
        self.swap(place, last);
        room::swap_remove(&mut self.heap, last);
        room::swap_remove(&mut self.places, index(slot));
        if let Some(place) = self.places.get(index(slot)) {
            self.heap[index(*place)].slot = slot;
        }
        if place < last {
            self.settle(place);
        }
    }

    /// Files the node of a slot at another time.
    pub(crate) fn refile(&mut self, slot: Slot, due: Timestamp) {
        let place = index(self.places[index(slot)]);
        self.heap[place].due = due;
        self.settle(place);
    }

    /// Returns when the entry of a slot is due.
    pub(crate) fn due(&self, slot: Slot) -> Timestamp {
        self.heap[index(self.places[index(slot)])].due
    }

    /// Returns the slot whose entry is due first, if it is due at that time.
    pub(crate) fn first_due(&self, now: Timestamp) -> Option<Slot> {
        self.heap.first().filter(|entry| entry.due <= now).map(|entry| entry.slot)
    }

    /// Returns the slots of all entries that are due at that time; looks at those and their children only.
    pub(crate) fn all_due(&self, now: Timestamp) -> impl Iterator<Item = Slot> {
        let mut places = vec![0];
        std::iter::from_fn(move || {
            while let Some(place) = places.pop() {
                if let Some(entry) = self.heap.get(place).filter(|entry| entry.due <= now) {
                    places.extend([2 * place + 1, 2 * place + 2]);
                    return Some(entry.slot);
                }
            }
            None
        })
    }

    /// Moves the entry at a place up or down to where it belongs.
    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.heap[place].due < self.heap[(place - 1) / 2].due {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        loop {
            let children = [2 * place + 1, 2 * place + 2].into_iter().filter(|child| *child < self.heap.len());
            let Some(first) = children.min_by_key(|child| self.heap[*child].due) else { break };
            if self.heap[place].due <= self.heap[first].due {
                break;
            }
            self.swap(place, first);
            place = first;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        for place in [one, other] {
            self.places[index(self.heap[place].slot)] = number(place);
        }
    }
}

pub(crate) fn index(slot: Slot) -> usize {
    slot as usize
}

pub(crate) fn number(index: usize) -> Slot {
    // 2^32 nodes in one of 256 shards would take 400 gigabytes.
    Slot::try_from(index).expect("no memory holds that many nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::MIN.saturating_add(std::time::Duration::from_millis(millis))
    }

    #[test]
    fn the_heap_finds_what_a_plain_list_finds() {
        let (mut expiries, mut plain, mut seed) = (Expiries::default(), Vec::new(), 1_u64);
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for step in 0..5000 {
            let due = at(random(1000) as u64);
            // Grows for a while, then shrinks.
            match random(if step < 3000 { 4 } else { 9 }) {
                _ if plain.is_empty() => {
                    expiries.push(due);
                    plain.push(due);
                }
                0 | 1 => {
                    expiries.push(due);
                    plain.push(due);
                }
                2 => {
                    let slot = random(plain.len());
                    expiries.refile(number(slot), due);
                    plain[slot] = due;
                }
                _ => {
                    let slot = random(plain.len());
                    expiries.swap_remove(number(slot));
                    plain.swap_remove(slot);
                }
            }
            assert_eq!(expiries.len(), plain.len());
            let filed: Vec<Timestamp> = (0..plain.len()).map(|slot| expiries.due(number(slot))).collect();
            assert_eq!(filed, plain, "after step {step}");
            let first = expiries.first_due(Timestamp::MAX).map(|slot| expiries.due(slot));
            assert_eq!(first, plain.iter().min().copied(), "after step {step}");
            let mut due_slots: Vec<Slot> = expiries.all_due(due).collect();
            due_slots.sort_unstable();
            let expected: Vec<Slot> = (0..plain.len()).filter(|slot| plain[*slot] <= due).map(number).collect();
            assert_eq!(due_slots, expected, "after step {step}");
        }
    }
}
