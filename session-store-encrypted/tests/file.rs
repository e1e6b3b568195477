//! The conformance suite on encryption around the file store.

mod over;

use std::path::Path;

use conformance_tests::Space;
use session_store_file::{Durability, FileStore};

fn main() -> std::process::ExitCode {
    let open = |space: Space| async move {
        // A name that is no plain word becomes a folder's name digit by digit.
        let folder: String = space.namespace().bytes().map(|byte| format!("{byte:02x}")).collect();
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("encrypted_files");
        let store = FileStore::open(all.join(folder)).await?.with_clock(space.clock());
        Ok(store.with_durability(Durability::Relaxed).with_max_data_bytes(over::LIMIT))
    };
    over::suite("encrypted-file", open).reopens().spans_processes().main()
}
