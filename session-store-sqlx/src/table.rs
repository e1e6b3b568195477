//! The name of the table that a store owns: its namespace.

use crate::dialect::Dialect;

/// The name of a table, checked so that two names that are accepted are always two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    schema: Option<String>,
    name: String,
}

/// The refusal of a name that cannot be, or should not be, the name of a table of sessions.
///
/// Refused are: an empty name; one that is too long for the database; control characters; a space at the end; upper-case letters, because
/// some databases tell `Sessions` from `sessions` and others do not; names that the database keeps for itself; and
/// names that end like those of our own indexes, `__expiry` and `__owner`.
///
/// The same holds for the name of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a table of sessions needs a lower-case name that the database accepts")]
pub struct InvalidTable;

const EXPIRY_INDEX: &str = "__expiry";
const OWNER_INDEX: &str = "__owner";

impl TableName {
    /// Returns the name of a store that was not told another one.
    pub(crate) fn sessions() -> Self {
        Self { schema: None, name: "sessions".to_owned() }
    }

    /// Returns another table of the same schema.
    pub(crate) fn named(&self, name: &str, dialect: &Dialect) -> Result<Self, InvalidTable> {
        Ok(Self { schema: self.schema.clone(), name: check(name, dialect)? })
    }

    /// Returns the table of that name in another schema.
    pub(crate) fn in_schema(&self, schema: &str, dialect: &Dialect) -> Result<Self, InvalidTable> {
        Ok(Self { schema: Some(check(schema, dialect)?), name: self.name.clone() })
    }

    /// Returns the table's name, its two parts (the schema with its point, or nothing) and the names of its two indexes,
    /// quoted. An index is in the schema of its table.
    pub(crate) fn quoted(&self, dialect: &Dialect) -> [(&'static str, String); 5] {
        let name = dialect.quote(&self.name);
        let schema = self.schema.as_ref().map_or_else(String::new, |schema| format!("{}.", dialect.quote(schema)));
        let index = |suffix| dialect.quote(&format!("{}{suffix}", self.name));
        [
            ("table", format!("{schema}{name}")),
            ("schema", schema),
            ("name", name),
            ("expiry_index", index(EXPIRY_INDEX)),
            ("owner_index", index(OWNER_INDEX)),
        ]
    }
}

fn check(name: &str, dialect: &Dialect) -> Result<String, InvalidTable> {
    let longest = dialect.max_identifier_bytes - EXPIRY_INDEX.len();
    let fits = (1..=longest).contains(&name.len()) && !name.ends_with(' ');
    let is_strange =
        |letter: char| letter.is_control() || letter.is_uppercase() || letter > dialect.max_identifier_letter;
    let is_reserved = dialect.reserved_prefixes.iter().any(|prefix| name.starts_with(prefix))
        || [EXPIRY_INDEX, OWNER_INDEX].iter().any(|suffix| name.ends_with(suffix));
    if fits && !name.contains(is_strange) && !is_reserved { Ok(name.to_owned()) } else { Err(InvalidTable) }
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
            assert!(TableName::sessions().named(good, &SQLITE).is_ok(), "{good}");
        }
        for bad in ["", "a ", "Sessions", "É", "a\0b", "a\n", "sqlite_x", "a__expiry", "a__owner", &"t".repeat(248)] {
            assert_eq!(TableName::sessions().named(bad, &SQLITE), Err(InvalidTable), "{bad}");
        }
    }
}
