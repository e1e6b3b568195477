//! What was logged on a test's thread.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use conformance_tests::traces;
use tracing::Level;

thread_local! {
    /// What was logged on this thread, which is one test's.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects what is logged from now on; for the whole process, since a subscriber of one thread misses events of
/// others.
pub(crate) fn start_log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let is_captured = traces::tap(|bytes| drop(io::Write::write(&mut Log, bytes)));
        if !is_captured {
            tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).with_writer(|| Log).init();
        }
    });
}

/// Returns what was logged on this thread.
pub(crate) fn logged() -> String {
    LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
}

/// Returns how many times a change was dropped on this thread.
pub(crate) fn drops() -> usize {
    logged().matches("its changes are dropped").count()
}
