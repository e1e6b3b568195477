//! Sessions in an SQLite file.

use std::path::PathBuf;
use std::sync::Arc;

use session_store_sqlx::SqliteStore;

use super::{OpenError, Opened};

/// Opens, or creates, the file that `sqlite:PATH` or `sqlite://PATH` names, and the table in it.
pub(super) async fn open(rest: String) -> Result<Opened, OpenError> {
    let path = super::path(&rest)?;
    let failed = |error| OpenError::Path(PathBuf::from(path), error);
    let store = SqliteStore::open(path).await.map_err(failed)?;
    store.setup().await.map_err(failed)?;
    let closing = store.clone();
    Ok(Opened {
        store: Arc::new(store),
        title: format!("the SQLite file {path}"),
        secret_file: Some(super::secret_beside(path)),
        close: Box::pin(async move { closing.close().await }),
    })
}
