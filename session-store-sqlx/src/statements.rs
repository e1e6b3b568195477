//! The statements of one table: the calls in SQL.

use crate::dialect::{Dialect, Tells};
use crate::statement::Statement;
use crate::table::TableName;

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) setup_lock: Vec<Statement>,
    pub(crate) schema: Vec<Statement>,
    pub(crate) create: Statement,
    pub(crate) load: Statement,
    pub(crate) update: Statement,
    pub(crate) touch: Statement,
    pub(crate) rotate: Statement,
    pub(crate) delete: Statement,
    pub(crate) delete_revision: Statement,
    pub(crate) delete_if_expired: Statement,
    pub(crate) delete_expired: Statement,
    pub(crate) refile: Statement,
    pub(crate) list: Statement,
    pub(crate) list_owned: Statement,
    pub(crate) count: Statement,
    pub(crate) count_owned: Statement,
    pub(crate) delete_owned: Vec<Statement>,
    pub(crate) delete_all: Vec<Statement>,
}

const RECORD: &str = "format, revision, owner, created_at, expires_at, deadline, data";
const END: &str = "expires_at, format, revision";
const INFO: &str = "session_key, owner, created_at, expires_at, deadline";
const LIVE: &str = "expires_at > :now AND format = 1";
const NOT_LIVE: &str = "(expires_at <= :now OR format <> 1)";

impl Statements {
    pub(crate) fn new(dialect: &Dialect, table: &TableName) -> Self {
        let compile = |template: &str| Statement::new(template, dialect, table);
        let compile_all = |templates: &[&str]| templates.iter().map(|template| compile(template)).collect();
        let (greatest, by_key) = (dialect.greatest, through(dialect, "session_key"));
        Self {
            setup_lock: compile_all(dialect.setup_lock),
            schema: compile_all(dialect.schema),
            create: compile(&create(dialect)),
            load: compile(&format!("SELECT {RECORD} FROM {{table}} WHERE session_key = :key AND expires_at > :now")),
            update: match dialect.writes_named_indexes {
                true => compile(&conditional(dialect, "")).with_shortcut(compile(&unmoved())),
                false => compile(&conditional(dialect, "")),
            },
            touch: compile(&format!(
                "UPDATE {{table}} {by_key} SET expires_at = {greatest}(expires_at, :expires_at)
                WHERE session_key = :key AND expires_at > :now"
            )),
            rotate: compile(&conditional(dialect, &assignment("session_key", ":new_key"))),
            delete: compile(&delete(dialect)),
            delete_revision: compile("DELETE FROM {table} WHERE session_key = :key AND revision = :expected"),
            delete_if_expired: compile(&format!(
                "{} WHERE session_key = :key AND expires_at <= :now",
                delete_through(dialect, "session_key")
            )),
            delete_expired: compile(dialect.delete_expired),
            refile: compile(dialect.refile),
            list: compile(&format!(
                "SELECT {INFO} FROM {{table}} WHERE session_key > :after AND {LIVE} ORDER BY session_key LIMIT :limit"
            )),
            list_owned: compile(&format!(
                "SELECT {INFO} FROM {{table}} WHERE owner = :owner AND session_key > :after AND {LIVE}
                ORDER BY session_key LIMIT :limit"
            )),
            count: compile(&count(dialect)),
            count_owned: compile(&format!("SELECT COUNT(*) FROM {{table}} WHERE owner = :owner AND {LIVE}")),
            delete_owned: delete_owned(dialect).iter().map(|template| compile(template)).collect(),
            delete_all: delete_all(dialect).iter().map(|template| compile(template)).collect(),
        }
    }
}

/// Inserts a record, or replaces an expired one, and tells if it did neither: by returning no row, or by the number -1.
fn create(dialect: &Dialect) -> String {
    // `expires_at` last, for databases that see the new values of the columns before.
    let columns: Vec<(&str, &str)> = [("owner", ":owner"), ("created_at", ":created_at"), ("deadline", ":deadline")]
        .into_iter()
        .chain([("revision", ":fresh"), ("format", "1"), ("data", ":data")])
        .chain([("sweep_at", ":expires_at"), ("expires_at", ":expires_at")])
        .collect();
    let list = |item: &dyn Fn(&str, &str) -> String| {
        columns.iter().map(|(column, value)| item(column, value)).collect::<Vec<_>>().join(", ")
    };
    let (names, values) = (list(&|column, _| column.to_owned()), list(&|_, value| value.to_owned()));
    match dialect.tells {
        Tells::Rows => {
            let replaced = list(&|column, _| format!("{column} = excluded.{column}"));
            format!(
                "INSERT INTO {{table}} AS stored (session_key, {names}) VALUES (:key, {values})
                ON CONFLICT (session_key) DO UPDATE SET {replaced}
                WHERE stored.expires_at <= :now RETURNING revision"
            )
        }
        Tells::Number => {
            let replaced = list(&|column, _| match column {
                // The number depends on the row, so that it is not left behind for no row.
                "expires_at" => "expires_at = \
                    IF(LAST_INSERT_ID(IF(expires_at > :now, -1, 0)) <> 0, expires_at, VALUES(expires_at))"
                    .to_owned(),
                _ => format!("{column} = IF(expires_at > :now, {column}, VALUES({column}))"),
            });
            format!(
                "INSERT INTO {{table}} (session_key, {names}) VALUES (:key, {values})
                ON DUPLICATE KEY UPDATE {replaced}"
            )
        }
    }
}

/// Writes a live record if it has the right revision, and says what it found or left: its revision, or that its format
/// is not known.
///
/// A record that is not as expected stays as it is and is told of all the same. `revision` comes last for databases
/// that see the new values of the columns before.
fn conditional(dialect: &Dialect, key: &str) -> String {
    let [owner, expires_at, data, revision] =
        [("owner", ":owner"), ("expires_at", ":expires_at"), ("data", ":data"), ("revision", ":fresh")]
            .map(|(column, value)| assignment(column, value));
    let sweep_at = assignment("sweep_at", &format!("{}(sweep_at, :expires_at)", dialect.least));
    let (revision, returning) = match dialect.tells {
        Tells::Rows => (revision, "RETURNING revision, format"),
        Tells::Number => (
            "revision = CASE WHEN LAST_INSERT_ID(
                CASE WHEN format <> 1 THEN -1 WHEN revision = :expected THEN :fresh ELSE revision END
            ) = :fresh THEN :fresh ELSE revision END,"
                .to_owned(),
            "",
        ),
    };
    let (revision, by_key) = (revision.trim_end_matches(','), through(dialect, "session_key"));
    format!(
        "UPDATE {{table}} {by_key} SET {key} {owner} {expires_at} {sweep_at} {data} {revision}
        WHERE session_key = :key AND expires_at > :now {returning}"
    )
}

/// Does what [`conditional`] does where that moves the record in no index, which is nearly always; else it finds nothing.
fn unmoved() -> String {
    "UPDATE {table} SET expires_at = :expires_at, data = :data, revision = :fresh
    WHERE session_key = :key AND expires_at > :now AND revision = :expected AND format = 1
    AND owner IS :owner AND sweep_at <= :expires_at RETURNING revision, format"
        .to_owned()
}

fn assignment(column: &str, value: &str) -> String {
    format!("{column} = CASE WHEN revision = :expected AND format = 1 THEN {value} ELSE {column} END,")
}

/// Returns until when the record under a key was live, and whether it is removed already.
///
/// Of the two databases that tell by a number, MariaDB can do both at once, and MySQL cannot: each reads as a comment what is
/// meant for the other.
fn delete(dialect: &Dialect) -> String {
    match dialect.tells {
        Tells::Rows => format!("DELETE FROM {{table}} WHERE session_key = :key RETURNING {END}, 1"),
        Tells::Number => format!(
            "/*M! DELETE */ /*!80000 SELECT {END}, 0 */ FROM {{table}} WHERE session_key = :key
            /*M! RETURNING {END}, 1 */"
        ),
    }
}

/// Removes an owner's records: those that return what they were, or first the live ones and then the others.
fn delete_owned(dialect: &Dialect) -> Vec<String> {
    let start = format!("{} WHERE owner = :owner AND session_key <> :key", delete_through(dialect, "owner"));
    match dialect.tells {
        Tells::Rows => vec![format!("{start} RETURNING expires_at, format")],
        Tells::Number => [LIVE, NOT_LIVE].map(|those| format!("{start} AND {those}")).into(),
    }
}

/// Removes all records: first the live ones, to be counted, and then the others.
fn delete_all(dialect: &Dialect) -> [String; 2] {
    [LIVE, NOT_LIVE].map(|those| format!("{} WHERE {those}", delete_through(dialect, "PRIMARY")))
}

/// Counts all live records: where an index can tell, in the index, and only those in the table that a sweep has to look
/// at. What is to be swept later is live until then, because `sweep_at` is never later than `expires_at`.
fn count(dialect: &Dialect) -> String {
    match dialect.counts_in_index {
        true => format!(
            "SELECT (SELECT COUNT(*) FROM {{table}} WHERE sweep_at > :now AND format = 1)
            + (SELECT COUNT(*) FROM {{table}} WHERE sweep_at <= :now AND {LIVE})"
        ),
        false => format!("SELECT COUNT(*) FROM {{table}} WHERE {LIVE}"),
    }
}

/// Names the index through which rows are found, where a statement that waits for a row does not see where it went.
///
/// MariaDB and MySQL may else go through the index of `sweep_at`, wait there for a record that is just moved in it, and
/// find nothing in its old place.
fn through(dialect: &Dialect, index: &str) -> String {
    match dialect.tells {
        Tells::Rows => String::new(),
        Tells::Number => format!("FORCE INDEX ({index})"),
    }
}

fn delete_through(dialect: &Dialect, index: &str) -> String {
    match dialect.tells {
        Tells::Rows => "DELETE FROM {table}".to_owned(),
        Tells::Number => format!("DELETE {{table}} FROM {{table}} {}", through(dialect, index)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Param;

    #[test]
    fn every_marker_of_every_template_is_known() {
        for dialect in [
            #[cfg(feature = "sqlite")]
            crate::dialect::SQLITE,
            #[cfg(feature = "postgres")]
            crate::dialect::POSTGRES,
            #[cfg(feature = "mysql")]
            crate::dialect::MYSQL,
        ] {
            let templates = [create(&dialect), conditional(&dialect, ""), unmoved(), delete(&dialect), count(&dialect)];
            let sweep = [dialect.delete_expired, dialect.refile];
            for template in templates.iter().map(String::as_str).chain(sweep) {
                for piece in template.split(':').skip(1) {
                    let end = piece.find(|letter: char| letter != '_' && !letter.is_ascii_lowercase());
                    assert!(Param::named(&piece[..end.unwrap_or(piece.len())]).is_some(), "{piece}");
                }
            }
        }
    }

    #[test]
    fn the_readme_shows_every_schema() {
        for dialect in [
            #[cfg(feature = "sqlite")]
            crate::dialect::SQLITE,
            #[cfg(feature = "postgres")]
            crate::dialect::POSTGRES,
            #[cfg(feature = "mysql")]
            crate::dialect::MYSQL,
        ] {
            for statement in Statements::new(&dialect, &TableName::sessions()).schema {
                assert!(include_str!("../README.md").contains(&format!("{};\n", statement.sql().as_str())));
            }
        }
    }
}
