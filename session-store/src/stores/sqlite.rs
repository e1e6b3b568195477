//! `sqlite:FILE`

use session_store_sqlx::{Durability, SqliteOptions};

use crate::location::{DURABILITY, Location, MAX_DATA, POOL};
use crate::stores::sql;
use crate::{OpenError, Opened};

pub(crate) async fn open(location: Location) -> Result<Opened, OpenError> {
    let durability = [("power-loss", Durability::PowerLoss), ("process-crash", Durability::ProcessCrash)];
    let durability = location.one_of(DURABILITY, "power-loss or process-crash", &durability)?;
    let (readers, timeout, setup) = (location.number(POOL)?, location.timeout()?, location.has_setup()?);
    let bytes = location.number(MAX_DATA)?;
    let mut options = SqliteOptions::new(&location.path()?)?;
    if let Some(durability) = durability {
        options = options.with_durability(durability);
    }
    if let Some(readers) = readers {
        options = options.with_readers(readers);
    }
    if let Some(timeout) = timeout {
        options = options.with_busy_timeout(timeout);
    }
    sql::ready(options.open().await?, &location, bytes, setup).await
}
