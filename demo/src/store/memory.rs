//! Sessions in memory, which end with the process.

use std::future::ready;
use std::sync::Arc;

use session_store_memory::MemoryStore;

use super::{OpenError, Opened};

/// Makes an empty store; nothing follows `memory:`.
pub(super) async fn open(rest: String) -> Result<Opened, OpenError> {
    if !rest.is_empty() {
        return Err(OpenError::UnknownUrl);
    }
    Ok(Opened {
        store: Arc::new(MemoryStore::new()),
        title: "the memory of this process".to_owned(),
        secret_file: None,
        close: Box::pin(ready(())),
    })
}
