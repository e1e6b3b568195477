//! A store that logs what it stores is found, and one that does not is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use async_trait::async_trait;
use conformance_tests::{Space, Suite, traces};
use session_core::{Record, Result, Revision, SessionKey, SessionStore, Timestamp};
use session_store_memory::MemoryStore;

/// Makes the store log its records.
const LEAK: &str = "SESSION_TEST_LEAK";

struct Leaky(MemoryStore);

#[async_trait]
impl SessionStore for Leaky {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        if std::env::var_os(LEAK).is_some() {
            tracing::trace!(data = record.data.as_str(), "created");
        }
        self.0.create(key, record).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.0.load(key).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.0.update(key, expected, record).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.0.touch(key, expires_at).await
    }

    async fn rotate(&self, old: &SessionKey, at: Revision, new: &SessionKey, record: &Record) -> Result<Revision> {
        self.0.rotate(old, at, new, record).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.0.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.0.delete_expired(limit).await
    }
}

/// Runs the test below in a process of its own and returns its traces.
fn traced(name: &str, leaks: bool) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let mut child = Command::new(std::env::current_exe().expect("this program is a file"));
    child.args(["--exact", "the_suite_runs_on_the_store", "--ignored"]).env("SESSION_TEST_TRACES", &folder);
    if leaks {
        child.env(LEAK, "1");
    }
    assert!(child.output().expect("it starts").status.success());
    folder
}

#[test]
#[ignore = "the other tests run it, in processes of their own"]
fn the_suite_runs_on_the_store() {
    let open = |space: Space| async move { Ok(Leaky(MemoryStore::new().with_clock(space.clock()))) };
    let report = Suite::without_index("leaky", open).report_of("CREATE").expect("the suite runs");
    assert!(report.is_success(), "{}", report.to_table());
}

#[test]
fn what_a_store_logs_of_its_records_is_found() {
    let searched = traces::search(&traced("leaky", true)).expect("there are traces");
    assert!(!searched.found.is_empty());
}

#[test]
fn a_store_that_keeps_quiet_passes() {
    let searched = traces::search(&traced("quiet", false)).expect("there are traces");
    assert_eq!(searched.found, [""; 0]);
    assert!(searched.secrets > 0);
}
