//! Sessions in an SQLite file.

use std::path::PathBuf;
use std::sync::Arc;

use session_store_sqlx::SqliteStore;

use super::{OpenError, Opened};

/// Opens, or creates, the file that `sqlite:PATH` or `sqlite://PATH` names, and the table in it.
pub(super) async fn open(rest: String) -> Result<Opened, OpenError> {
    let path = rest.strip_prefix("//").unwrap_or(&rest);
    if path.is_empty() || path.contains('?') {
        return Err(OpenError::UnknownUrl);
    }
    let failed = |error: session_core::Error| OpenError::File(PathBuf::from(path), error.into());
    let store = SqliteStore::open(path).await.map_err(failed)?;
    store.setup().await.map_err(failed)?;
    let closing = store.clone();
    Ok(Opened {
        store: Arc::new(store),
        title: format!("the SQLite file {path}"),
        secret_file: Some(PathBuf::from(format!("{path}-secret"))),
        close: Box::pin(async move { closing.close().await }),
    })
}
