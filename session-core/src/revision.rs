//! The token that tells one write of a record from the next.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// An opaque token that changes with every `create`, `update` and `rotate`, and never with a `touch`.
///
/// It has no order and no meaning; equality is all there is. A writer presents the revision that it loaded, and the
/// store refuses the write with [`Error::Conflict`](crate::Error::Conflict) if another write came in between
/// (`UPDATE-02`). It is unique over the lives of a key too, so that a writer of a session that ended cannot hit
/// the next one that is stored under the same key (`REVISION-03`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The largest number that a revision holds: 63 bits, so that it fits a signed column of every database.
    pub const MAX: u64 = i64::MAX as u64;

    /// Makes a revision that was, with overwhelming probability, never used before, for a store that is about to write.
    ///
    /// It is unpredictable enough for uniqueness and not for secrecy: a revision is not a credential.
    pub fn fresh() -> Self {
        Self(next_random() & Self::MAX)
    }

    /// Restores a revision from its number, as a store kept it; the highest bit is dropped.
    pub fn from_number(number: u64) -> Self {
        Self(number & Self::MAX)
    }

    /// Returns the number that a store keeps.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// SplitMix64 over a counter that starts at a random place, so that no two calls of a process give the same number
/// before 2^64 calls, and two processes meet only by a 64-bit coincidence. No system call per revision.
fn next_random() -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    static STATE: std::sync::LazyLock<AtomicU64> = std::sync::LazyLock::new(|| {
        // Without randomness from the system the hasher's per-process keys are still different in every process.
        let fallback = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
        AtomicU64::new(getrandom::u64().unwrap_or_else(|_| fallback()))
    });
    let mut z = STATE.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({:016x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fresh_revisions_do_not_repeat_and_fit_a_signed_column() {
        let revisions: HashSet<Revision> = (0..100_000).map(|_| Revision::fresh()).collect();
        assert_eq!(revisions.len(), 100_000);
        assert!(revisions.iter().all(|revision| i64::try_from(revision.number()).is_ok()));
    }
}
