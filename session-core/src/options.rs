//! What every store can be told: the clock that it asks and the size that it accepts.

use std::sync::Arc;

use crate::{Clock, Error, Record, Result, SystemClock, Timestamp};

/// The options that all stores share, for the authors of stores: a store keeps one and asks it.
///
/// Users meet them as `with_clock` and `with_max_data_bytes` of each store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The clock that decides whether a record is live; the system's by default.
    pub clock: Arc<dyn Clock>,
    /// The most bytes of data that a record may have; [`StoreOptions::DEFAULT_MAX_DATA_BYTES`] by default.
    pub max_data_bytes: usize,
}

impl StoreOptions {
    /// One MiB, the same on every backend.
    pub const DEFAULT_MAX_DATA_BYTES: usize = 1024 * 1024;

    /// Returns the time by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Refuses a record whose data is too large, before anything is sent (`DATA-02`).
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the text of its data has more bytes than [`max_data_bytes`](Self::max_data_bytes).
    pub fn check_size(&self, record: &Record) -> Result<()> {
        let size = record.data.as_str().len();
        if size <= self.max_data_bytes { Ok(()) } else { Err(Error::TooLarge { size, limit: self.max_data_bytes }) }
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), max_data_bytes: Self::DEFAULT_MAX_DATA_BYTES }
    }
}
