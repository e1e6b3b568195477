//! From sqlx's errors to ours.

use std::sync::Arc;

use session_core::{BoxError, Error};

use crate::driver::{Driver, Trouble};

/// Says whether an error is an outage: no answer in time, no connection, no writes accepted. Worth a retry.
pub(crate) fn is_outage<DB: Driver>(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => DB::trouble(&**error) != Trouble::Refused,
        _ => false,
    }
}

/// Says what an error means for a connection: it is over, unless the database answered.
pub(crate) fn trouble<DB: Driver>(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => DB::trouble(&**error),
        _ => Trouble::Broken,
    }
}

/// Gives an error its kind and keeps it as the cause.
pub(crate) fn refusal<DB: Driver>(error: sqlx::Error) -> Error {
    classify::<DB>(&error)(error.into())
}

/// The same for an error that several calls share, because they were written together.
pub(crate) fn shared_refusal<DB: Driver>(error: &Arc<sqlx::Error>) -> Error {
    classify::<DB>(error)(Arc::clone(error).into())
}

fn classify<DB: Driver>(error: &sqlx::Error) -> fn(BoxError) -> Error {
    match error {
        // Of all statements only a rotation runs into another row (`ROTATE-02`).
        sqlx::Error::Database(error) if error.is_unique_violation() => |_| Error::AlreadyExists,
        error if is_outage::<DB>(error) => Error::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Error::Corrupt,
        _ => Error::Backend,
    }
}
