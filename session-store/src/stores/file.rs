//! `file:FOLDER`

use session_store_file::{Durability, FileStore};

use crate::location::{DURABILITY, Location, MAX_DATA};
use crate::{OpenError, Opened};

pub(crate) async fn open(location: Location) -> Result<Opened, OpenError> {
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
    Ok(Opened::new(store))
}
