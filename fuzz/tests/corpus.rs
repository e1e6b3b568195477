//! Replays what the fuzzer found interesting: nothing of it panics.

use std::path::{Path, PathBuf};
use std::{fs, io};

use session_fuzz::TARGETS;

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

#[test]
fn every_input_of_the_corpus_keeps_every_promise() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let inputs = files(&corpus.join(name))?;
        assert!(inputs.len() >= 5, "the corpus of {name} is not there");
        for path in inputs {
            println!("{}", path.display());
            target(&fs::read(path)?);
        }
    }
    assert_eq!(files(&corpus)?.len(), TARGETS.len(), "a corpus has no target");
    Ok(())
}
