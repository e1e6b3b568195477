//! The name of the table that a store owns: its namespace.

use crate::dialect::Dialect;

/// The name of a table, checked so that two names that are accepted are always two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName(String);

/// The refusal of a name that cannot be, or should not be, the name of a table of sessions.
///
/// Refused are: an empty name; one that is too long for the database; control characters; upper-case letters, because
/// some databases tell `Sessions` from `sessions` and others do not; names that the database keeps for itself; and
/// names that end like those of our own indexes, `__expiry` and `__owner`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a table of sessions needs a lower-case name that the database accepts")]
pub struct InvalidTable;

const EXPIRY_INDEX: &str = "__expiry";
const OWNER_INDEX: &str = "__owner";

impl TableName {
    /// Returns the name of a store that was not told another one.
    pub(crate) fn sessions() -> Self {
        Self("sessions".to_owned())
    }

    pub(crate) fn parse(name: &str, dialect: &Dialect) -> Result<Self, InvalidTable> {
        let longest = dialect.max_identifier_bytes - EXPIRY_INDEX.len();
        let fits = (1..=longest).contains(&name.len());
        let is_plain = !name.chars().any(|letter| letter.is_control() || letter.is_uppercase());
        let is_reserved = dialect.reserved_prefixes.iter().any(|prefix| name.starts_with(prefix))
            || [EXPIRY_INDEX, OWNER_INDEX].iter().any(|suffix| name.ends_with(suffix));
        if fits && is_plain && !is_reserved { Ok(Self(name.to_owned())) } else { Err(InvalidTable) }
    }

    /// Returns the table's name and those of its two indexes, quoted.
    pub(crate) fn quoted(&self, dialect: &Dialect) -> [(&'static str, String); 3] {
        [("table", ""), ("expiry_index", EXPIRY_INDEX), ("owner_index", OWNER_INDEX)]
            .map(|(marker, suffix)| (marker, dialect.quote(&format!("{}{suffix}", self.0))))
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::dialect::SQLITE;

    #[test]
    fn a_name_that_could_be_mistaken_for_another_is_refused() {
        for good in
            ["sessions", "a b", "select", "o\"k", "'; drop table x; --", "名前", "%", "sqlite", &"t".repeat(247)]
        {
            assert!(TableName::parse(good, &SQLITE).is_ok(), "{good}");
        }
        for bad in ["", "Sessions", "É", "a\0b", "a\n", "sqlite_x", "a__expiry", "a__owner", &"t".repeat(248)] {
            assert_eq!(TableName::parse(bad, &SQLITE), Err(InvalidTable), "{bad}");
        }
    }
}
