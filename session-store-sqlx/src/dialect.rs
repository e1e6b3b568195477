//! What differs between databases, as data.

/// How one database spells what all of them can do.
///
/// The texts are templates. `{table}`, `{expiry_index}` and `{owner_index}` stand for quoted names, and `:name` for a
/// value that is bound (see [`Param`](crate::statement::Param)).
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Begins and ends a quoted name; inside of one it is doubled.
    pub(crate) quote: char,
    /// Stands for a bound value.
    pub(crate) placeholder: &'static str,
    /// The most bytes of a name; longer ones would be refused or, worse, cut.
    pub(crate) max_identifier_bytes: usize,
    /// How names begin that the database keeps for itself.
    pub(crate) reserved_prefixes: &'static [&'static str],
    /// Begins a transaction that writes. Only where writes are committed together, in a [queue](crate::queue).
    pub(crate) begin: &'static str,
    /// Creates what is not there yet, one statement each.
    pub(crate) schema: &'static [&'static str],
    /// Inserts a record, or replaces an expired one, and then returns a row.
    pub(crate) create: &'static str,
    /// Moves a record, and removes an expired one that is in the way. Returns what [`update`](crate::statement) returns.
    pub(crate) rotate: &'static str,
    /// The function that returns the greater of two numbers.
    pub(crate) greatest: &'static str,
}

impl Dialect {
    /// Quotes a name. What can be quoted and what not is decided by [`TableName`](crate::table::TableName).
    pub(crate) fn quote(&self, name: &str) -> String {
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push(self.quote);
        for letter in name.chars() {
            quoted.push(letter);
            if letter == self.quote {
                quoted.push(letter);
            }
        }
        quoted.push(self.quote);
        quoted
    }
}

/// SQLite, from 3.37 (`STRICT` tables).
///
/// `data` is the last column, so that the pages that a long text overflows into are not walked for the columns before it.
/// The table keeps its row ids: `WITHOUT ROWID` keeps whole rows in the inner pages of the key's tree too, which costs
/// a third of all speed with sessions of 200 bytes and half of it with 2 KiB.
#[cfg(feature = "sqlite")]
pub(crate) const SQLITE: Dialect = Dialect {
    quote: '"',
    placeholder: "?",
    max_identifier_bytes: 255,
    reserved_prefixes: &["sqlite_"],
    begin: "BEGIN IMMEDIATE",
    schema: &[
        "CREATE TABLE IF NOT EXISTS {table} (
    session_key TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    deadline INTEGER,
    revision INTEGER NOT NULL,
    format INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT",
        "CREATE INDEX IF NOT EXISTS {expiry_index} ON {table} (expires_at, format)",
        "CREATE INDEX IF NOT EXISTS {owner_index} ON {table} (owner, session_key) WHERE owner IS NOT NULL",
    ],
    create: "
INSERT INTO {table} AS stored (session_key, owner, created_at, expires_at, deadline, revision, format, data)
VALUES (:key, :owner, :created_at, :expires_at, :deadline, :fresh, 1, :data)
ON CONFLICT (session_key) DO UPDATE SET
    owner = excluded.owner,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at,
    deadline = excluded.deadline,
    revision = excluded.revision,
    format = excluded.format,
    data = excluded.data
WHERE stored.expires_at <= :now
RETURNING revision",
    // `OR REPLACE` removes the row that has the new key: only an expired one, because a live one counts as taken.
    rotate: "
UPDATE OR REPLACE {table} SET
    session_key = CASE WHEN is_moving THEN :new_key ELSE session_key END,
    owner = CASE WHEN is_moving THEN :owner ELSE owner END,
    expires_at = CASE WHEN is_moving THEN :expires_at ELSE expires_at END,
    data = CASE WHEN is_moving THEN :data ELSE data END,
    revision = CASE WHEN is_moving THEN :fresh ELSE revision END
FROM (
    SELECT old.revision = :expected AND old.format = 1 AND NOT EXISTS (
        SELECT 1 FROM {table} AS taken WHERE taken.session_key = :new_key AND taken.expires_at > :now
    ) AS is_moving
    FROM {table} AS old WHERE old.session_key = :key
)
WHERE session_key = :key AND expires_at > :now
RETURNING revision, format",
    greatest: "MAX",
};

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn a_quote_inside_a_name_is_doubled() {
        assert_eq!(SQLITE.quote("plain"), "\"plain\"");
        assert_eq!(SQLITE.quote("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
        assert_eq!(SQLITE.quote("\""), "\"\"\"\"");
    }
}
