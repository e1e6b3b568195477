//! `memory:`

use session_store_memory::MemoryStore;

use crate::location::{Location, MAX_DATA};
use crate::{OpenError, Opened};

pub(crate) async fn open(location: Location) -> Result<Opened, OpenError> {
    if !location.is_bare() {
        return Err(OpenError::Parameter {
            name: "memory:".into(),
            wanted: "without a name: each opening is a store of its own",
        });
    }
    let mut store = MemoryStore::new();
    if let Some(bytes) = location.number(MAX_DATA)? {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Opened::new(store))
}
