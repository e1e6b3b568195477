//! How much an acknowledged write survives.

/// What an acknowledged write of a [`FileStore`](crate::FileStore) survives.
///
/// Both survive the death of the process at any moment, and under both every file holds the old record or the new one
/// whole. They differ in what a loss of power may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Survives a loss of power: files and folders are synced before the call returns. The default.
    #[default]
    Full,
    /// Survives the death of the process, not of the machine: nothing is synced, and writes are many times faster.
    ///
    /// A loss of power may undo the writes of the last seconds, a logout among them, and may leave a record that is
    /// refused as [`Corrupt`](session_core::Error::Corrupt); it never leaves one that reads wrong.
    Relaxed,
}
