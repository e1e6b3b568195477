//! Every statement of a store, as text that was made once.

use std::sync::Arc;

use session_core::{OwnerId, Record, Revision, Scope, SessionKey, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::dialect::{Dialect, Placeholder};
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

    pub(crate) fn named(name: &str) -> Option<Self> {
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
    /// As the column has it, where a number may be that is no revision.
    pub(crate) expected: Option<i64>,
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
        let time = |timestamp: Option<Timestamp>| Value::Integer(timestamp.map(Timestamp::unix_millis));
        match param {
            Param::After => Value::Text(Some(&self.after)),
            Param::CreatedAt => time(record.map(|record| record.created_at)),
            Param::Data => Value::Text(record.map(|record| record.data.as_str())),
            Param::Deadline => time(record.and_then(|record| record.deadline)),
            Param::Expected => Value::Integer(self.expected),
            Param::ExpiresAt => time(record.map(|record| record.expires_at).or(self.expires_at)),
            Param::Fresh => Value::Integer(self.fresh.map(to_column)),
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

/// Returns what the column of a revision has.
pub(crate) fn to_column(revision: Revision) -> i64 {
    // A revision has 63 bits.
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

/// A statement's text, and what is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The text, once and repeated: [`REPEATS`](Statement::REPEATS) says how often.
    texts: Arc<[SqlStr]>,
    pub(crate) params: Arc<[Param]>,
    pieces: Arc<[Piece]>,
    shortcut: Option<Arc<Self>>,
}

impl Statement {
    /// How often a text is repeated to do several calls at once. Few lengths, because the database keeps each prepared.
    pub(crate) const REPEATS: [usize; 6] = [1, 2, 4, 8, 16, 32];

    pub(crate) fn new(template: &str, dialect: &Dialect, table: &TableName) -> Self {
        let pieces = split(template, &table.quoted(dialect));
        let (text, params) = join(&pieces, dialect.placeholder);
        let repeated = |times: usize| -> Arc<str> { vec![text.as_str(); times].join(";").into() };
        // The only text that is not the crate's own is the table's name, which is checked and quoted.
        let texts = Self::REPEATS.iter().map(|times| AssertSqlSafe(repeated(*times)).into_sql_str()).collect();
        Self { texts, params: params.into(), pieces: pieces.into(), shortcut: None }
    }

    /// Sets a statement that does the same with less where it returns a row; where it returns none it does nothing.
    pub(crate) fn with_shortcut(self, shortcut: Self) -> Self {
        Self { shortcut: Some(Arc::new(shortcut)), ..self }
    }

    /// Returns what is worth a try first.
    pub(crate) fn shortcut(&self) -> Option<&Self> {
        self.shortcut.as_deref()
    }

    /// Returns the text with the values in it, as `literal` writes them.
    pub(crate) fn with_literals(&self, literal: impl Fn(Param) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(param) => literal(*param),
        };
        self.pieces.iter().map(piece).collect()
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

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Param),
}

/// Puts in the quoted names and cuts at the values. Names are put into the pieces, and each in one pass over text that
/// holds no other: a name may look like a marker or like a value.
fn split(template: &str, names: &[(&'static str, String)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template.trim();
    while let Some(colon) = rest.find(':') {
        pieces.push(Piece::Text(fill_names(&rest[..colon], names)));
        rest = &rest[colon + 1..];
        let end = rest.find(|letter: char| letter != '_' && !letter.is_ascii_lowercase()).unwrap_or(rest.len());
        pieces.extend(Param::named(&rest[..end]).map(Piece::Value));
        rest = &rest[end..];
    }
    pieces.push(Piece::Text(fill_names(rest, names)));
    pieces
}

/// Puts in the placeholders. A value that is named twice is bound twice where placeholders have no numbers.
fn join(pieces: &[Piece], placeholder: Placeholder) -> (String, Vec<Param>) {
    let (mut text, mut params) = (String::new(), Vec::new());
    for piece in pieces {
        match (piece, placeholder) {
            (Piece::Text(more), _) => text.push_str(more),
            (Piece::Value(param), Placeholder::Mark) => {
                params.push(*param);
                text.push('?');
            }
            (Piece::Value(param), Placeholder::Number) => {
                let place = params.iter().position(|known| known == param).unwrap_or(params.len());
                if place == params.len() {
                    params.push(*param);
                }
                text.push_str(&format!("${}", place + 1));
            }
        }
    }
    (text, params)
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

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::dialect::SQLITE;

    #[test]
    fn every_placeholder_has_its_value_and_names_are_not_read_as_templates() {
        let table = TableName::sessions().named("{table} :key ?1", &SQLITE).expect("it can be quoted");
        let template = "SELECT :now FROM {table} WHERE a < :now AND b = :new_key AND c = :key";
        let pieces = split(template, &table.quoted(&SQLITE));
        let (text, params) = join(&pieces, Placeholder::Mark);
        assert_eq!(text, "SELECT ? FROM \"{table} :key ?1\" WHERE a < ? AND b = ? AND c = ?");
        assert_eq!(params, [Param::Now, Param::Now, Param::NewKey, Param::Key]);
        let (text, params) = join(&pieces, Placeholder::Number);
        assert_eq!(text, "SELECT $1 FROM \"{table} :key ?1\" WHERE a < $1 AND b = $2 AND c = $3");
        assert_eq!(params, [Param::Now, Param::NewKey, Param::Key]);
    }

    #[test]
    fn a_block_does_as_many_calls_as_it_has_texts() {
        let table = TableName::sessions();
        let statement = Statement::new("DELETE FROM {table}", &SQLITE, &table);
        for (calls, expected) in [(1, 1), (2, 2), (3, 2), (7, 4), (15, 8), (16, 16), (64, 32)] {
            let (text, done) = statement.block(calls);
            assert_eq!((done, text.as_str().split(';').count()), (expected, expected));
        }
    }
}
