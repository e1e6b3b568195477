//! From sqlx's errors to ours.

use std::io::ErrorKind;
use std::sync::Arc;

use session_core::{BoxError, Error, LayoutError};

use crate::database::{Driver, Trouble};

/// The cause of an error when the time of a call is over.
pub(crate) const LATE: &str = "no answer came in time";

/// Says what an error means for a connection: it is over, unless the database answered.
pub(crate) fn trouble<DB: Driver>(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => DB::trouble(&**error),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => Trouble::Refused,
        _ => Trouble::Broken,
    }
}

/// Says whether an error is an outage: no answer in time, no connection, no writes accepted. Worth a retry.
pub(crate) fn is_outage<DB: Driver>(error: &sqlx::Error) -> bool {
    match error {
        // What rustls says of a certificate that it does not trust.
        sqlx::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
            true
        }
        sqlx::Error::Database(error) => {
            !matches!(DB::trouble(&**error), Trouble::Refused | Trouble::RefusedAndBroken | Trouble::NotAllowed)
        }
        _ => false,
    }
}

/// Gives an error its kind and keeps it as the cause.
pub(crate) fn refusal<DB: Driver>(error: sqlx::Error) -> Error {
    classify::<DB>(&error)(error.into())
}

/// The same for an error that several calls share.
pub(crate) fn shared_refusal<DB: Driver>(error: &Arc<sqlx::Error>) -> Error {
    classify::<DB>(error)(Arc::clone(error).into())
}

/// The same for what `setup` wanted to make.
pub(crate) fn setup_refusal<DB: Driver>(error: sqlx::Error) -> Error {
    if trouble::<DB>(&error) == Trouble::NotAllowed { LayoutError::NotAllowed.into() } else { refusal::<DB>(error) }
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
