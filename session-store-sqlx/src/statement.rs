//! Every statement of a store, as text that was made once.

use std::sync::Arc;

use session_core::{OwnerId, Record, Revision, Scope, SessionKey, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::dialect::Dialect;
use crate::table::TableName;

/// A value that a statement needs, by the name that it has in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    After,
    CreatedAt,
    Data,
    Deadline,
    Expected,
    ExpiresAt,
    Fresh,
    Key,
    Limit,
    NewKey,
    Now,
    Owner,
}

impl Param {
    const NAMES: [(&'static str, Self); 12] = [
        ("after", Self::After),
        ("created_at", Self::CreatedAt),
        ("data", Self::Data),
        ("deadline", Self::Deadline),
        ("expected", Self::Expected),
        ("expires_at", Self::ExpiresAt),
        ("fresh", Self::Fresh),
        ("key", Self::Key),
        ("limit", Self::Limit),
        ("new_key", Self::NewKey),
        ("now", Self::Now),
        ("owner", Self::Owner),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, param)| *param)
    }
}

/// The values of one call, kept until the statement runs. They share the caller's texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    pub(crate) key: Option<SessionKey>,
    pub(crate) new_key: Option<SessionKey>,
    pub(crate) record: Option<Record>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) expected: Option<Revision>,
    pub(crate) fresh: Option<Revision>,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) after: String,
    pub(crate) limit: u32,
}

/// A value as it is bound. `None` is `NULL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
}

impl Values {
    pub(crate) fn of(key: &SessionKey) -> Self {
        Self { key: Some(key.clone()), ..Self::default() }
    }

    pub(crate) fn owned_by(scope: Scope<'_>) -> Self {
        let owner = if let Scope::Owner(owner) = scope { Some(owner.clone()) } else { None };
        Self { owner, ..Self::default() }
    }

    pub(crate) fn value(&self, param: Param, now: Timestamp) -> Value<'_> {
        let record = self.record.as_ref();
        let number = |revision: Option<Revision>| Value::Integer(revision.map(to_column));
        let time = |timestamp: Option<Timestamp>| Value::Integer(timestamp.map(Timestamp::unix_millis));
        match param {
            Param::After => Value::Text(Some(&self.after)),
            Param::CreatedAt => time(record.map(|record| record.created_at)),
            Param::Data => Value::Text(record.map(|record| record.data.as_str())),
            Param::Deadline => time(record.and_then(|record| record.deadline)),
            Param::Expected => number(self.expected),
            Param::ExpiresAt => time(record.map(|record| record.expires_at).or(self.expires_at)),
            Param::Fresh => number(self.fresh),
            // Where a key may be missing, as the exception of `delete_owned`, the empty text is no record's key.
            Param::Key => Value::Text(Some(self.key.as_ref().map_or("", SessionKey::as_str))),
            Param::Limit => Value::Integer(Some(i64::from(self.limit))),
            Param::NewKey => Value::Text(self.new_key.as_ref().map(SessionKey::as_str)),
            Param::Now => time(Some(now)),
            Param::Owner => {
                let owner = record.map_or(self.owner.as_ref(), |record| record.owner.as_ref());
                Value::Text(owner.map(OwnerId::as_str))
            }
        }
    }
}

fn to_column(revision: Revision) -> i64 {
    // A revision has 63 bits.
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

/// A statement's text, and what is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The text, once and repeated: [`REPEATS`](Statement::REPEATS) says how often.
    texts: Arc<[SqlStr]>,
    pub(crate) params: Arc<[Param]>,
}

impl Statement {
    /// How often a text is repeated to do several calls at once. Few lengths, because the database keeps each prepared.
    pub(crate) const REPEATS: [usize; 5] = [1, 2, 4, 8, 16];

    pub(crate) fn new(template: &str, dialect: &Dialect, table: &TableName) -> Self {
        let (text, params) = compile(template, dialect, table);
        let repeated = |times: usize| -> Arc<str> { vec![text.as_str(); times].join(";").into() };
        // The only text that is not the crate's own is the table's name, which is checked and quoted.
        let texts = Self::REPEATS.iter().map(|times| AssertSqlSafe(repeated(*times)).into_sql_str()).collect();
        Self { texts, params: params.into() }
    }

    /// Returns the text.
    pub(crate) fn sql(&self) -> SqlStr {
        self.texts[0].clone()
    }

    /// Returns the longest repetition that does not do more than `calls` calls, and how many it does.
    pub(crate) fn block(&self, calls: usize) -> (SqlStr, usize) {
        let last = Self::REPEATS.iter().rposition(|times| *times <= calls).unwrap_or(0);
        (self.texts[last].clone(), Self::REPEATS[last])
    }

    /// Says whether two calls run the same statement, so that they can be done at once.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.texts, &other.texts)
    }

    /// Orders statements so that those that are the same come together.
    pub(crate) fn address(&self) -> usize {
        self.texts.as_ptr().addr()
    }
}

/// Puts in the quoted names and the placeholders. A value that is named twice is bound twice, where placeholders have no
/// numbers: a text without numbers can be repeated.
fn compile(template: &str, dialect: &Dialect, table: &TableName) -> (String, Vec<Param>) {
    let mut text = String::with_capacity(template.len() + 64);
    let mut params = Vec::new();
    let mut rest = template.trim();
    while let Some(colon) = rest.find(':') {
        text.push_str(&rest[..colon]);
        rest = &rest[colon + 1..];
        let name =
            &rest[..rest.find(|letter: char| letter != '_' && !letter.is_ascii_lowercase()).unwrap_or(rest.len())];
        rest = &rest[name.len()..];
        let Some(param) = Param::named(name) else { continue };
        params.push(param);
        text.push_str(dialect.placeholder);
    }
    text.push_str(rest);
    // Names last, and each in one pass over text that holds no other: a name may look like a marker or a placeholder.
    (fill_names(&text, &table.quoted(dialect)), params)
}

fn fill_names(template: &str, names: &[(&'static str, String)]) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (marker, rest) = piece.split_once('}').unwrap_or((piece, ""));
        text.extend(names.iter().filter(|(name, _)| *name == marker).map(|(_, quoted)| quoted.as_str()));
        text.push_str(rest);
    }
    text
}

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) schema: Vec<Statement>,
    pub(crate) create: Statement,
    pub(crate) load: Statement,
    pub(crate) update: Statement,
    pub(crate) touch: Statement,
    pub(crate) rotate: Statement,
    pub(crate) delete: Statement,
    pub(crate) delete_expired: Statement,
    pub(crate) list: Statement,
    pub(crate) list_owned: Statement,
    pub(crate) count: Statement,
    pub(crate) count_owned: Statement,
    pub(crate) delete_owned: Statement,
    pub(crate) delete_all: Statement,
}

/// Answers why nothing was changed, too: a row that comes back tells another revision (`Conflict`) or format (`Corrupt`),
/// and no row that nothing is live. `revision` comes last for databases that see the new values of the columns before.
const UPDATE: &str = "
UPDATE {table} SET
    owner = CASE WHEN revision = :expected AND format = 1 THEN :owner ELSE owner END,
    expires_at = CASE WHEN revision = :expected AND format = 1 THEN :expires_at ELSE expires_at END,
    data = CASE WHEN revision = :expected AND format = 1 THEN :data ELSE data END,
    revision = CASE WHEN revision = :expected AND format = 1 THEN :fresh ELSE revision END
WHERE session_key = :key AND expires_at > :now
RETURNING revision, format";

const RECORD: &str = "format, revision, owner, created_at, expires_at, deadline, data";
const INFO: &str = "session_key, owner, created_at, expires_at, deadline";
const LIVE: &str = "expires_at > :now AND format = 1";

impl Statements {
    pub(crate) fn new(dialect: &Dialect, table: &TableName) -> Self {
        let compile = |template: &str| Statement::new(template, dialect, table);
        let greatest = dialect.greatest;
        Self {
            schema: dialect.schema.iter().map(|template| compile(template)).collect(),
            create: compile(dialect.create),
            load: compile(&format!("SELECT {RECORD} FROM {{table}} WHERE session_key = :key AND expires_at > :now")),
            update: compile(UPDATE),
            touch: compile(&format!(
                "UPDATE {{table}} SET expires_at = {greatest}(expires_at, :expires_at)
                WHERE session_key = :key AND expires_at > :now RETURNING format"
            )),
            rotate: compile(dialect.rotate),
            delete: compile(&format!("DELETE FROM {{table}} WHERE session_key = :key RETURNING {RECORD}")),
            delete_expired: compile(
                "DELETE FROM {table} WHERE expires_at <= :now AND session_key IN (
                    SELECT session_key FROM {table} WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
                )",
            ),
            list: compile(&format!(
                "SELECT {INFO} FROM {{table}} WHERE session_key > :after AND {LIVE} ORDER BY session_key LIMIT :limit"
            )),
            list_owned: compile(&format!(
                "SELECT {INFO} FROM {{table}} WHERE owner = :owner AND session_key > :after AND {LIVE}
                ORDER BY session_key LIMIT :limit"
            )),
            count: compile(&format!("SELECT COUNT(*) FROM {{table}} WHERE {LIVE}")),
            count_owned: compile(&format!("SELECT COUNT(*) FROM {{table}} WHERE owner = :owner AND {LIVE}")),
            delete_owned: compile(
                "DELETE FROM {table} WHERE owner = :owner AND session_key <> :key RETURNING expires_at, format",
            ),
            delete_all: compile("DELETE FROM {table}"),
        }
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::dialect::SQLITE;

    #[test]
    fn every_placeholder_has_its_value_and_names_are_not_read_as_templates() {
        let table = TableName::parse("{table} :key ?1", &SQLITE).expect("it can be quoted");
        let (text, params) =
            compile("SELECT :now FROM {table} WHERE a < :now AND b = :new_key AND c = :key", &SQLITE, &table);
        assert_eq!(text, "SELECT ? FROM \"{table} :key ?1\" WHERE a < ? AND b = ? AND c = ?");
        assert_eq!(params, [Param::Now, Param::Now, Param::NewKey, Param::Key]);
    }

    #[test]
    fn a_block_does_as_many_calls_as_it_has_texts() {
        let table = TableName::parse("sessions", &SQLITE).expect("a plain name");
        let statement = Statement::new("DELETE FROM {table}", &SQLITE, &table);
        for (calls, expected) in [(1, 1), (2, 2), (3, 2), (7, 4), (15, 8), (16, 16), (64, 16)] {
            let (text, done) = statement.block(calls);
            assert_eq!((done, text.as_str().split(';').count()), (expected, expected));
        }
    }

    #[test]
    fn every_marker_of_every_template_is_known() {
        for template in [SQLITE.create, SQLITE.rotate, UPDATE, LIVE] {
            for piece in template.split(':').skip(1) {
                let end = piece.find(|letter: char| letter != '_' && !letter.is_ascii_lowercase());
                assert!(Param::named(&piece[..end.unwrap_or(piece.len())]).is_some(), "{piece}");
            }
        }
    }
}
