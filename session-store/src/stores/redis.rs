//! `redis://`, `rediss://`, `redis+cluster://` and `redis+sentinel://`

use std::sync::Arc;

use session_core::SessionIndex;
use session_store_redis::RedisStore;

use crate::OpenError;
use crate::location::{Location, MAX_DATA, NAMESPACE};

pub(crate) async fn open(location: Location) -> Result<Arc<dyn SessionIndex>, OpenError> {
    let (timeout, bytes) = (location.timeout()?, location.number(MAX_DATA)?);
    let mut store = RedisStore::open(&location.for_driver()).await?;
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_prefix(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if let Some(timeout) = timeout {
        store = store.with_timeout(timeout);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Arc::new(store))
}
