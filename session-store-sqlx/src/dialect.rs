//! What differs between databases, as data.

/// How one database spells what all of them can do.
///
/// The texts are templates. `{table}`, `{expiry_index}` and `{owner_index}` stand for quoted names, `{schema}` and `{name}`
/// for the parts of `{table}`, and `:name` for a value that is bound (see [`Param`](crate::statement::Param)).
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Begins and ends a quoted name; inside of one it is doubled.
    pub(crate) quote: char,
    /// Stands for a bound value.
    pub(crate) placeholder: Placeholder,
    /// The most bytes of a name; longer ones would be refused or, worse, cut.
    pub(crate) max_identifier_bytes: usize,
    /// The largest letter of a name; larger ones would be refused or, worse, made alike.
    pub(crate) max_identifier_letter: char,
    /// How names begin that the database keeps for itself.
    pub(crate) reserved_prefixes: &'static [&'static str],
    /// Begins a transaction that writes. Only where writes are committed together, in a [queue](crate::queue).
    pub(crate) begin: &'static str,
    /// What `setup` runs in one transaction before the schema, so that one does it at a time.
    pub(crate) setup_lock: &'static [&'static str],
    /// Creates what is not there yet, one statement each.
    pub(crate) schema: &'static [&'static str],
    /// The function that returns the greater of two numbers.
    pub(crate) greatest: &'static str,
    /// The function that returns the lesser of two numbers.
    pub(crate) least: &'static str,
    /// How a statement that writes tells what it found.
    pub(crate) tells: Tells,
    /// Whether the index of `sweep_at` has the format too, so that sessions are counted in it and not in the table.
    pub(crate) counts_in_index: bool,
    /// Whether a statement writes all indexes of the columns that it names, also where their values stay.
    pub(crate) writes_named_indexes: bool,
    /// Removes at most `:limit` expired records. Rows are found by `sweep_at`, which is never later than `expires_at`.
    pub(crate) delete_expired: &'static str,
    /// Moves on at most `:limit` of those that were renewed since, so that the next sweep does not meet them.
    pub(crate) refile: &'static str,
}

/// What stands for a bound value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// `?`, once for each time that a value is named.
    Mark,
    /// `$1`, once for each value.
    Number,
}

/// How a statement that writes tells what it found, without a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// It returns rows.
    Rows,
    /// It leaves a number behind, as `LAST_INSERT_ID(number)` does, that the database sends with its answer.
    Number,
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
/// The table keeps its row ids: `WITHOUT ROWID` keeps whole rows in the inner pages of the key's tree too. With row ids
/// writes are 1.7 to 1.8 times as fast with sessions of 2 KiB and 1.25 to 1.7 times with 200 bytes; loads are 1.3 times
/// as fast with 2 KiB, and a fifth slower with 200 bytes.
///
/// No index has `expires_at`, as in PostgreSQL below: a page of an index that a write must move an entry in is a page
/// more in the log, at a random place. Without it touches and updates of 50,000 sessions are two to three times as fast.
#[cfg(feature = "sqlite")]
pub(crate) const SQLITE: Dialect = Dialect {
    quote: '"',
    placeholder: Placeholder::Mark,
    max_identifier_bytes: 255,
    max_identifier_letter: char::MAX,
    reserved_prefixes: &["sqlite_"],
    begin: "BEGIN IMMEDIATE",
    setup_lock: &[],
    schema: &[
        "CREATE TABLE IF NOT EXISTS {table} (
    session_key TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    deadline INTEGER,
    revision INTEGER NOT NULL,
    format INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT",
        "CREATE INDEX IF NOT EXISTS {schema}{expiry_index} ON {name} (sweep_at)",
        "CREATE INDEX IF NOT EXISTS {schema}{owner_index} ON {name} (owner, session_key) WHERE owner IS NOT NULL",
    ],
    greatest: "MAX",
    least: "MIN",
    tells: Tells::Rows,
    counts_in_index: false,
    writes_named_indexes: true,
    delete_expired: "DELETE FROM {table} WHERE expires_at <= :now AND session_key IN (
        SELECT session_key FROM {table} WHERE sweep_at <= :now AND expires_at <= :now ORDER BY sweep_at LIMIT :limit
    )",
    refile: "UPDATE {table} SET sweep_at = expires_at WHERE session_key IN (
        SELECT session_key FROM {table} WHERE sweep_at <= :now AND expires_at > :now ORDER BY sweep_at LIMIT :limit
    )",
};

/// PostgreSQL, from 14.
///
/// No index has `expires_at`, so that a touch writes no index at all (a HOT update, for which pages keep some room). Rows
/// are swept by `sweep_at`: the expiry as it was when the record was created or shortened. A sweep that finds a
/// record there that was renewed since moves its `sweep_at`, once for all the touches in between.
///
/// The rows to remove are an array: with a join, a plan that does not know the limit may read the whole table.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: Dialect = Dialect {
    quote: '"',
    placeholder: Placeholder::Number,
    max_identifier_bytes: 63,
    max_identifier_letter: char::MAX,
    // Tables of the catalogue would be found before a table of this name.
    reserved_prefixes: &["pg_"],
    begin: "BEGIN",
    // The number is arbitrary, and the same for all versions of this crate.
    setup_lock: &["SET LOCAL client_min_messages = warning", "SELECT pg_advisory_xact_lock(8315165816530957413)"],
    schema: &[
        "CREATE TABLE IF NOT EXISTS {table} (
    session_key TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,
    owner TEXT COLLATE \"C\",
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    deadline BIGINT,
    revision BIGINT NOT NULL,
    format SMALLINT NOT NULL,
    data TEXT NOT NULL
) WITH (fillfactor = 80)",
        "CREATE INDEX IF NOT EXISTS {expiry_index} ON {table} (sweep_at)",
        "CREATE INDEX IF NOT EXISTS {owner_index} ON {table} (owner, session_key) WHERE owner IS NOT NULL",
    ],
    greatest: "GREATEST",
    least: "LEAST",
    tells: Tells::Rows,
    counts_in_index: false,
    writes_named_indexes: false,
    delete_expired: "DELETE FROM {table} WHERE expires_at <= :now AND session_key = ANY (ARRAY(
        SELECT session_key FROM {table} WHERE sweep_at <= :now AND expires_at <= :now
        ORDER BY sweep_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ))",
    refile: "UPDATE {table} SET sweep_at = expires_at WHERE session_key = ANY (ARRAY(
        SELECT session_key FROM {table} WHERE sweep_at <= :now AND expires_at > :now
        ORDER BY sweep_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ))",
};

/// MySQL, from 8.0, and MariaDB, from 10.6.
///
/// Rows are filed under a number, as in SQLite: under the key, which is random, each new one would go to another page.
/// And a rotation leaves a row and its entry among the owner's where they are, so that `delete_owned`
/// meets the row, waits for the rotation, and ends it under its new key (`OWNER-04`).
///
/// No index has `expires_at`, as in PostgreSQL: with one, the server takes a sixth more time for an update and a third more
/// for a touch. The index that rows are swept by has the format too, for the count of all, which would else read the table,
/// whose pages hold the data.
///
/// Owners are bytes, because the collations that both databases have take trailing spaces for nothing. A key has none.
#[cfg(feature = "mysql")]
pub(crate) const MYSQL: Dialect = Dialect {
    quote: '`',
    placeholder: Placeholder::Mark,
    max_identifier_bytes: 64,
    // Names have three bytes for a letter, and `?` for one that needs four.
    max_identifier_letter: '\u{ffff}',
    reserved_prefixes: &["#"],
    begin: "BEGIN",
    // One statement, and the database lets one at a time create a table.
    setup_lock: &[],
    schema: &["CREATE TABLE IF NOT EXISTS {table} (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    session_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    owner VARBINARY(255),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    deadline BIGINT,
    revision BIGINT NOT NULL,
    format SMALLINT NOT NULL,
    data LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    UNIQUE KEY session_key (session_key),
    KEY expiry (sweep_at, format),
    KEY owner (owner)
) ENGINE = InnoDB"],
    greatest: "GREATEST",
    least: "LEAST",
    tells: Tells::Number,
    counts_in_index: true,
    writes_named_indexes: false,
    delete_expired: "DELETE {table} FROM {table} JOIN (
        SELECT id FROM {table} FORCE INDEX (expiry) WHERE sweep_at <= :now AND expires_at <= :now
        ORDER BY sweep_at LIMIT :limit
    ) AS `#due` ON {table}.id = `#due`.id WHERE {table}.expires_at <= :now",
    refile: "UPDATE {table} JOIN (
        SELECT id FROM {table} FORCE INDEX (expiry) WHERE sweep_at <= :now AND expires_at > :now
        ORDER BY sweep_at LIMIT :limit
    ) AS `#renewed` ON {table}.id = `#renewed`.id SET {table}.sweep_at = {table}.expires_at",
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
