//! How much the store holds.

/// How many entries a store holds, for metrics, and to see that nothing is left behind.
///
/// Expired records count until they are swept, replaced or deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Records, live or not.
    pub records: usize,
    /// Entries of the order by expiry, which the sweep uses; as many as records.
    pub expiries: usize,
    /// Entries of the order by owner, which the index uses; as many as records with an owner.
    pub owned: usize,
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            records: sum.records + part.records,
            expiries: sum.expiries + part.expiries,
            owned: sum.owned + part.owned,
        })
    }
}
