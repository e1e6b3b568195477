//! A test that runs itself again in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "SESSION_STORE_FILE_TEST_FOLDER";
const WORDS: &str = "SESSION_STORE_FILE_TEST_WORDS";

/// What a child process was told: the store's folder and what else its test needs. `None` in the first process.
pub(crate) fn role() -> Option<(PathBuf, String)> {
    Some((PathBuf::from(std::env::var_os(FOLDER)?), std::env::var(WORDS).ok()?))
}

/// Makes a command that runs one test of this program as a child.
pub(crate) fn command(test: &str, folder: &Path, words: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test program knows its path"));
    command.args([test, "--exact", "--nocapture", "--include-ignored"]);
    command.env(FOLDER, folder).env(WORDS, words);
    command
}
