//! What a statement that writes tells of the record that it found.

use session_core::{Error, Result, Revision};

use crate::dialect::Tells;
use crate::driver::{Answer, Driver};
use crate::row;

/// The number -1: a record that is live, or one whose format is not known.
const UNTOUCHED: u64 = u64::MAX;

/// Says whether a record was inserted or replaced.
pub(crate) fn is_created<DB: Driver>(answer: &Answer<DB::Row>) -> bool {
    match DB::dialect().0.tells {
        Tells::Rows => !answer.rows.is_empty(),
        Tells::Number => answer.number != UNTOUCHED,
    }
}

/// Returns the revision that a conditional write found or left; the format is checked first.
pub(crate) fn found<DB: Driver>(answer: &Answer<DB::Row>) -> Result<Revision> {
    match DB::dialect().0.tells {
        Tells::Rows => {
            let row = answer.rows.first().ok_or(Error::NotFound)?;
            row::check_format::<DB>(row, 1)?;
            row::revision::<DB>(row, 0)
        }
        Tells::Number if answer.changed == 0 => Err(Error::NotFound),
        Tells::Number if answer.number == UNTOUCHED => Err(row::unknown_format()),
        Tells::Number => Ok(Revision::from_number(answer.number)),
    }
}

/// Returns how many live records were removed: of those that are returned, or all that the first statement removed.
pub(crate) fn live<DB: Driver>(answer: &Answer<DB::Row>, now: session_core::Timestamp) -> u64 {
    match DB::dialect().0.tells {
        // A row that cannot be read is gone too, and was not live.
        Tells::Rows => answer.rows.iter().filter(|row| row::is_live::<DB>(row, now).unwrap_or(false)).count() as u64,
        Tells::Number => answer.changed,
    }
}
