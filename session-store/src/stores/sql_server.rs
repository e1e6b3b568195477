//! `postgres://` and `mysql://`

use session_store_sqlx::{ServerDatabase, ServerOptions};

use crate::location::{Location, MAX_DATA, POOL};
use crate::stores::sql;
use crate::{OpenError, Opened};

#[cfg(feature = "postgres")]
pub(crate) async fn open_postgres(location: Location) -> Result<Opened, OpenError> {
    let options = session_store_sqlx::PostgresOptions::new(&location.for_driver())?;
    open(location, options).await
}

#[cfg(feature = "mysql")]
pub(crate) async fn open_mysql(location: Location) -> Result<Opened, OpenError> {
    let options = session_store_sqlx::MySqlOptions::new(&location.for_driver())?;
    open(location, options).await
}

async fn open<DB: ServerDatabase>(location: Location, mut options: ServerOptions<DB>) -> Result<Opened, OpenError> {
    let (bytes, setup) = (location.number(MAX_DATA)?, location.has_setup()?);
    if let Some(connections) = location.number(POOL)? {
        options = options.with_max_connections(connections);
    }
    if let Some(timeout) = location.timeout()? {
        options = options.with_timeout(timeout);
    }
    sql::ready(options.open().await?, &location, bytes, setup).await
}
