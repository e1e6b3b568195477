//! The name of the table that a store owns: its namespace.

/// How a database spells names and values.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    /// Begins and ends a quoted name; inside of one it is doubled.
    pub(crate) quote: char,
    /// Whether a statement binds `$1` once, wherever it stands; else each mark is a value of its own.
    pub(crate) numbers_values: bool,
    /// Whether the statements say `main.` before what can be in another schema.
    pub(crate) says_main: bool,
    /// The most bytes of a name; longer ones would be refused or, worse, cut.
    pub(crate) longest: usize,
    /// The largest letter of a name; larger ones would be refused or, worse, made alike.
    pub(crate) largest_letter: char,
    /// How names begin that the database keeps for itself.
    pub(crate) reserved_prefix: &'static str,
}

impl Spelling {
    /// Quotes a name. What can be quoted and what not is decided by [`TableName`].
    fn quote(&self, name: &str) -> String {
        let quote = self.quote;
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }
}

/// The name of a table, checked so that two names that are accepted are always two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    schema: Option<String>,
    name: String,
}

/// The refusal of a name that cannot be, or should not be, the name of a table of sessions.
///
/// Refused are: an empty name; one that is too long for the database; control characters; a space at the end; upper-case letters, because
/// some databases tell `Sessions` from `sessions` and others do not; names that the database keeps for itself; and
/// names that end like those of our own indexes and views, `__expiry`, `__owner` and `__layout`.
///
/// The same holds for the name of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a table of sessions needs a lower-case name that the database accepts")]
pub struct InvalidTable;

/// What the names of a table's own indexes, and of its view, end with.
const SUFFIXES: [&str; 3] = ["__expiry", "__owner", "__layout"];

impl TableName {
    /// Returns the name of a store that was not told another one.
    pub(crate) fn sessions() -> Self {
        Self { schema: None, name: "sessions".to_owned() }
    }

    /// Returns another table of the same schema.
    pub(crate) fn named(&self, name: &str, spelling: &Spelling) -> Result<Self, InvalidTable> {
        Ok(Self { schema: self.schema.clone(), name: check(name, spelling)? })
    }

    /// Returns the table of that name in another schema.
    pub(crate) fn in_schema(&self, schema: &str, spelling: &Spelling) -> Result<Self, InvalidTable> {
        Ok(Self { schema: Some(check(schema, spelling)?), name: self.name.clone() })
    }

    /// Returns the name, for a question to the database's catalogue.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the schema, if it was given.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Puts the names of this table, of its indexes and of its schema where a text says `"sessions"`, `"sessions__expiry"` and
    /// so on. In one pass: what is put in may look the same.
    pub(crate) fn fill(&self, text: &str, spelling: &Spelling) -> String {
        let ours = format!("{}sessions", spelling.quote);
        let mut pieces = text.split(&ours);
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (suffix, rest) = piece.split_once(spelling.quote).unwrap_or((piece, ""));
            let schema = match (&self.schema, filled.ends_with("main.")) {
                (schema, true) if spelling.says_main => {
                    filled.truncate(filled.len() - "main.".len());
                    Some(schema.as_deref().unwrap_or("main"))
                }
                (schema, _) if !spelling.says_main && suffix.is_empty() => schema.as_deref(),
                _ => None,
            };
            if let Some(schema) = schema {
                filled.push_str(&spelling.quote(schema));
                filled.push('.');
            }
            filled.push_str(&spelling.quote(&format!("{}{suffix}", self.name)));
            filled.push_str(rest);
        }
        filled
    }
}

fn check(name: &str, spelling: &Spelling) -> Result<String, InvalidTable> {
    let longest = spelling.longest - "__expiry".len();
    let fits = (1..=longest).contains(&name.len()) && !name.ends_with(' ');
    let is_strange = |letter: char| letter.is_control() || letter.is_uppercase() || letter > spelling.largest_letter;
    let is_reserved =
        name.starts_with(spelling.reserved_prefix) || SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if fits && !name.contains(is_strange) && !is_reserved { Ok(name.to_owned()) } else { Err(InvalidTable) }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::sqlite::SPELLING;

    #[test]
    fn a_name_that_could_be_mistaken_for_another_is_refused() {
        for good in
            ["sessions", "a b", "select", "o\"k", "'; drop table x; --", "名前", "%", "sqlite", &"t".repeat(247)]
        {
            assert!(TableName::sessions().named(good, &SPELLING).is_ok(), "{good}");
        }
        let long = "t".repeat(248);
        for bad in ["", "a ", "Sessions", "É", "a\0b", "a\n", "sqlite_x", "a__expiry", "a__owner", "a__layout", &long]
        {
            assert_eq!(TableName::sessions().named(bad, &SPELLING), Err(InvalidTable), "{bad}");
        }
    }

    #[test]
    fn names_are_put_in_quoted_and_with_their_schema() {
        let table = TableName::sessions().named("a\"b", &SPELLING).and_then(|table| table.in_schema("x", &SPELLING));
        let table = table.expect("both can be quoted");
        let text = "CREATE INDEX main.\"sessions__owner\" ON \"sessions\" (owner)";
        assert_eq!(table.fill(text, &SPELLING), "CREATE INDEX \"x\".\"a\"\"b__owner\" ON \"a\"\"b\" (owner)");
        let elsewhere = Spelling { says_main: false, ..SPELLING };
        let text = "CREATE INDEX \"sessions__owner\" ON \"sessions\" (owner)";
        assert_eq!(table.fill(text, &elsewhere), "CREATE INDEX \"a\"\"b__owner\" ON \"x\".\"a\"\"b\" (owner)");
    }
}
