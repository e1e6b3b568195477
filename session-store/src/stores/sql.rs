//! What all SQL databases have in common once they are open.

use session_store_sqlx::{SqlDatabase, SqlStore};

use crate::location::{Location, NAMESPACE};
use crate::{OpenError, Opened};

/// Gives the store its limit and its table, and makes the table unless it is there already.
pub(crate) async fn ready<DB: SqlDatabase>(
    mut store: SqlStore<DB>,
    location: &Location,
    max_data_bytes: Option<usize>,
    has_setup: bool,
) -> Result<Opened, OpenError> {
    if let Some(bytes) = max_data_bytes {
        store = store.with_max_data_bytes(bytes);
    }
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_table(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if has_setup {
        store.setup().await?;
    }
    let closing = store.clone();
    Ok(Opened::new(store).closing(async move { closing.close().await }))
}
