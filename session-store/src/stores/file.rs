//! `file:FOLDER`

use std::sync::Arc;

use session_core::SessionIndex;
use session_store_file::{Durability, FileStore};

use crate::OpenError;
use crate::location::{DURABILITY, Location, MAX_DATA};

pub(crate) async fn open(location: Location) -> Result<Arc<dyn SessionIndex>, OpenError> {
    let durability = [("full", Durability::Full), ("relaxed", Durability::Relaxed)];
    let durability = location.one_of(DURABILITY, "full or relaxed", &durability)?;
    let bytes = location.number(MAX_DATA)?;
    let mut store = FileStore::open(location.path()?).await?;
    if let Some(durability) = durability {
        store = store.with_durability(durability);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Arc::new(store))
}
