//! What was measured, as it is written down between the run and the report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The stores, as the command line names them. `…-synced` is the same with every write on the disk before it is acknowledged.
pub const STORES: [&str; 9] =
    ["memory", "file", "file-synced", "sqlite", "sqlite-synced", "postgres", "mariadb", "redis", "mongo"];

/// The name of the first contestant everywhere: all ratios are to it.
pub const RAW: &str = "raw driver";
/// The name of ours.
pub const OURS: &str = "ours";

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Loading a session that is there.
    Load,
    /// Storing a new one.
    Create,
    /// Replacing the data of one.
    Update,
    /// Moving the expiry of one.
    Touch,
    /// Removing one.
    Delete,
}

impl Call {
    /// All calls, in the order of the tables.
    pub const ALL: [Self; 5] = [Self::Load, Self::Create, Self::Update, Self::Touch, Self::Delete];

    /// Returns the call's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Update => "update",
            Self::Touch => "touch",
            Self::Delete => "delete",
        }
    }
}

/// What one contestant did in one cell, over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The store, as in `redis`.
    pub store: String,
    /// Who.
    pub contestant: String,
    /// What was called.
    pub call: Call,
    /// The bytes of the session.
    pub size: usize,
    /// How many tasks called at once.
    pub tasks: usize,
    /// Calls in a second, round by round.
    pub rates: Vec<f64>,
    /// Microseconds of processor time for a call: this process.
    pub cpu: f64,
    /// Microseconds of processor time for a call: the server.
    pub server_cpu: f64,
    /// Half of the calls took at most so many microseconds.
    pub p50: f64,
    /// 99 of 100 calls took at most so many microseconds.
    pub p99: f64,
    /// Calls that failed.
    pub failures: u64,
}

/// One number of the other measurements, with where it belongs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    /// The table.
    pub table: String,
    /// The row of the table.
    pub row: String,
    /// The column of the table.
    pub column: String,
    /// The number, with its unit where the column has none.
    pub value: String,
}

/// Everything that a run found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// What it was measured on and with: names and values.
    pub facts: BTreeMap<String, String>,
    /// The calls of the stores.
    pub rows: Vec<Row>,
    /// All the rest.
    pub figures: Vec<Figure>,
}

impl Results {
    /// Reads what an earlier step of the run wrote; nothing if there was none.
    pub fn read(file: &Path) -> Outcome<Self> {
        if file.exists() { Ok(serde_json::from_str(&fs::read_to_string(file)?)?) } else { Ok(Self::default()) }
    }

    /// Writes everything down.
    pub fn write(&self, file: &Path) -> Outcome<()> {
        Ok(fs::write(file, serde_json::to_string_pretty(self)?)?)
    }

    /// Adds a number to a table.
    pub fn add(&mut self, table: &str, row: &str, column: &str, value: impl Into<String>) {
        self.figures.retain(|figure| (&*figure.table, &*figure.row, &*figure.column) != (table, row, column));
        let (table, row, column) = (table.to_owned(), row.to_owned(), column.to_owned());
        self.figures.push(Figure { table, row, column, value: value.into() });
    }

    /// Returns a number of a table.
    pub fn figure(&self, table: &str, row: &str, column: &str) -> Option<&str> {
        let is_it = |figure: &&Figure| (&*figure.table, &*figure.row, &*figure.column) == (table, row, column);
        self.figures.iter().find(is_it).map(|figure| &*figure.value)
    }
}

/// Returns the middle one of some numbers; zero of none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}
