//! Sessions in files, one each.

use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;

use session_store_file::FileStore;

use super::{OpenError, Opened};

/// Opens, or creates, the folder that `file:PATH` or `file://PATH` names.
pub(super) async fn open(rest: String) -> Result<Opened, OpenError> {
    let path = super::path(&rest)?;
    let store = FileStore::open(path).await.map_err(|error| OpenError::Path(PathBuf::from(path), error))?;
    Ok(Opened {
        store: Arc::new(store),
        title: format!("the folder {path}"),
        secret_file: Some(super::secret_beside(path)),
        close: Box::pin(ready(())),
    })
}
