//! The conformance suite on encryption around the memory store, with blinded owners.

use conformance_tests::{Space, Suite};
use session_core::StoreOptions;
use session_store_encrypted::{BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys, inner_limit};
use session_store_memory::MemoryStore;

fn main() -> std::process::ExitCode {
    let open = |space: Space| async move {
        let limit = inner_limit(StoreOptions::DEFAULT_MAX_DATA_BYTES);
        let inner = MemoryStore::new().with_clock(space.clock()).with_max_data_bytes(limit);
        let keys = EncryptionKeys::new([EncryptionKey::new("test", &[7; 32])?])?;
        let store = EncryptedStore::new(inner, space.namespace(), keys);
        Ok(store.with_blinded_owners(BlindingKey::new(&[9; 32])?))
    };
    Suite::new("encrypted-memory-blinded", open).shares().main()
}
