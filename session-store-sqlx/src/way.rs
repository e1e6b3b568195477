//! How calls get to a database: SQLite's writes through one writer, all others over connections.

use std::sync::Arc;

use session_core::{Clock, Result, Timestamp};

use crate::database::{Answer, Driver};
use crate::sql::{Statement, Value};
use crate::table::TableName;

/// When a call decides: by the clock when its statement is sent, or by the time of the step before.
#[derive(Debug, Clone)]
pub enum When {
    Asked(Arc<dyn Clock>),
    Known(Timestamp),
}

impl When {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Asked(clock) => clock.now(),
            Self::Known(now) => *now,
        }
    }
}

/// The way to a database. A clone is the same way.
pub trait Way<DB: Driver>: Clone + Send + Sync + 'static {
    /// Runs a statement that only reads.
    #[doc(hidden)]
    fn read(
        &self,
        statement: &Statement,
        values: &[Value],
        when: &When,
    ) -> impl Future<Output = Result<Answer<DB::Row>>> + Send;

    /// Runs statements of which the first that finds something has done it, and returns its answer, or the last one's.
    #[doc(hidden)]
    fn write(
        &self,
        statements: &Arc<[Statement]>,
        values: Vec<Value>,
        when: When,
    ) -> impl Future<Output = Result<Answer<DB::Row>>> + Send;

    /// Verifies the layout of a table, and makes what is missing if that is wanted.
    #[doc(hidden)]
    fn set_up(&self, table: &TableName, makes: bool) -> impl Future<Output = Result<()>> + Send;

    #[doc(hidden)]
    fn close(&self) -> impl Future<Output = ()> + Send;
}
