//! A statement of a store: its text, as the database's file has it, with the names of the store's own table in it.

use session_core::{Data, OwnerId, Revision, SessionKey, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::table::{Spelling, TableName};

/// A value of a call, by its place: the first one of a call is `$1` in its statement.
#[derive(Debug, Clone)]
pub enum Value {
    /// The time by which the call decides: read when the statement is sent, and not before.
    Now,
    Key(SessionKey),
    Owner(Option<OwnerId>),
    Data(Data),
    Time(Option<Timestamp>),
    Integer(i64),
    Text(String),
}

/// A value as it is bound. `None` is `NULL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
}

impl Value {
    pub(crate) fn revision(revision: Revision) -> Self {
        Self::Integer(to_column(revision))
    }

    pub(crate) fn bound(&self, now: Timestamp) -> Bound<'_> {
        match self {
            Self::Now => Bound::Integer(Some(now.unix_millis())),
            Self::Key(key) => Bound::Text(Some(key.as_str())),
            Self::Owner(owner) => Bound::Text(owner.as_ref().map(OwnerId::as_str)),
            Self::Data(data) => Bound::Text(Some(data.as_str())),
            Self::Time(time) => Bound::Integer(time.map(Timestamp::unix_millis)),
            Self::Integer(number) => Bound::Integer(Some(*number)),
            Self::Text(text) => Bound::Text(Some(text)),
        }
    }
}

/// Returns what the column of a revision has.
pub(crate) fn to_column(revision: Revision) -> i64 {
    // A revision has 63 bits.
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

/// A statement about the store's own table.
#[derive(Debug)]
pub struct Statement {
    /// The text, once and repeated: [`REPEATS`](Statement::REPEATS) says how often.
    texts: Vec<SqlStr>,
    /// Which values are bound, in this order.
    pub(crate) order: Vec<usize>,
    pieces: Vec<Piece>,
}

/// A piece of a statement: text, or the place of a value.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(usize),
}

impl Statement {
    /// How often a text is repeated to do several calls at once. Few lengths, because the database keeps each prepared.
    const REPEATS: [usize; 6] = [1, 2, 4, 8, 16, 32];

    /// Takes a text about `sessions` and makes one about a table.
    pub(crate) fn new(text: &str, table: &TableName, spelling: &Spelling) -> Self {
        let pieces = split(text, |text| table.fill(text, spelling));
        let (mut joined, mut order) = (String::new(), Vec::new());
        for piece in &pieces {
            match piece {
                Piece::Text(text) => joined.push_str(text),
                Piece::Value(place) if spelling.numbers_values => {
                    joined.push_str(&format!("${}", place + 1));
                    order = (0..order.len().max(place + 1)).collect();
                }
                Piece::Value(place) => {
                    joined.push('?');
                    order.push(*place);
                }
            }
        }
        let times = if spelling.numbers_values { &Self::REPEATS[..1] } else { &Self::REPEATS };
        // The only text that is not the crate's own is the table's name, which is checked and quoted.
        let repeat = |times: &usize| AssertSqlSafe(vec![joined.as_str(); *times].join(";")).into_sql_str();
        Self { texts: times.iter().map(repeat).collect(), order, pieces }
    }

    /// Returns the text.
    pub(crate) fn sql(&self) -> SqlStr {
        self.texts[0].clone()
    }

    /// Returns the text with the values in it, as `literal` writes them.
    pub(crate) fn with_literals(&self, literal: impl Fn(usize) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(place) => literal(*place),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Returns the longest repetition that does not do more than `calls` calls, and how many it does.
    pub(crate) fn block(&self, calls: usize) -> (SqlStr, usize) {
        let last = Self::REPEATS[..self.texts.len()].iter().rposition(|times| *times <= calls).unwrap_or(0);
        (self.texts[last].clone(), Self::REPEATS[last])
    }
}

/// Cuts a text at its values, `$1` or `?1`, and puts the names into what is between: a name may look like a value.
fn split(text: &str, fill: impl Fn(&str) -> String) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(mark) = rest.find(['$', '?']) {
        let number = &rest[mark + 1..];
        let end = number.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(number.len());
        pieces.push(Piece::Text(fill(&rest[..mark])));
        // The texts are the crate's own; each mark has a number from 1 on.
        pieces.extend(number[..end].parse::<usize>().map(|number| Piece::Value(number - 1)));
        rest = &number[end..];
    }
    pieces.push(Piece::Text(fill(rest)));
    pieces
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::sqlite::SPELLING;

    #[test]
    fn each_value_has_its_place_and_names_are_not_read_as_values() {
        let table = TableName::sessions().named("\"sessions\" ?1 $2", &SPELLING).expect("it can be quoted");
        let text = "SELECT ?2 FROM main.\"sessions\" WHERE a < ?2 AND b = ?10 AND c = ?1";
        let marks = Statement::new(text, &table, &SPELLING);
        let name = "\"main\".\"\"\"sessions\"\" ?1 $2\"";
        assert_eq!(marks.sql().as_str(), format!("SELECT ? FROM {name} WHERE a < ? AND b = ? AND c = ?"));
        assert_eq!(marks.order, [1, 1, 9, 0]);
        let numbers = Statement::new(text, &table, &Spelling { numbers_values: true, ..SPELLING });
        assert_eq!(numbers.sql().as_str(), format!("SELECT $2 FROM {name} WHERE a < $2 AND b = $10 AND c = $1"));
        assert_eq!(numbers.order, (0..10).collect::<Vec<_>>());
        let literal = numbers.with_literals(|place| format!("<{place}>"));
        assert_eq!(literal, format!("SELECT <1> FROM {name} WHERE a < <1> AND b = <9> AND c = <0>"));
    }

    #[test]
    fn a_block_does_as_many_calls_as_it_has_texts() {
        let statement = Statement::new("DELETE FROM main.\"sessions\"", &TableName::sessions(), &SPELLING);
        for (calls, expected) in [(1, 1), (2, 2), (3, 2), (7, 4), (15, 8), (16, 16), (64, 32)] {
            let (text, done) = statement.block(calls);
            assert_eq!((done, text.as_str().split(';').count()), (expected, expected));
        }
    }
}
