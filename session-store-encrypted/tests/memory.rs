//! The conformance suite on encryption around the memory store.

use conformance_tests::{Space, Suite};
use session_core::StoreOptions;
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys, inner_limit};
use session_store_memory::MemoryStore;

fn main() -> std::process::ExitCode {
    let open = |space: Space| async move {
        let limit = inner_limit(StoreOptions::DEFAULT_MAX_DATA_BYTES);
        let inner = MemoryStore::new().with_clock(space.clock()).with_max_data_bytes(limit);
        let keys = EncryptionKeys::new([EncryptionKey::new("test", &[7; 32])?])?;
        Ok(EncryptedStore::new(inner, space.namespace(), keys))
    };
    Suite::new("encrypted-memory", open).shares().main()
}
