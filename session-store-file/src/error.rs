//! What damage a file can have, and what an error of the file system means to the caller.

use std::io;

use session_core::Error;

/// Why something that is stored is not a record: the cause of [`Error::Corrupt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("what is stored is not a regular file")]
    NotAFile,
    #[error("the file does not begin like a session record")]
    NotARecord,
    #[error("the file has another format version")]
    Version,
    #[error("the head of the file is damaged")]
    Head,
    #[error("neither of the two expiry lines is whole")]
    End,
    #[error("the file belongs to another session")]
    Key,
    #[error("the data is cut off")]
    Truncated,
    #[error("the data does not match its checksum")]
    Checksum,
    #[error("the data is not text")]
    Data,
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::corrupt(damage)
    }
}

/// Says what an error of the file system means: what an administrator must cure is `Backend`, the rest passes.
///
/// A full or read-only disk, an unmounted folder, a missing file handle and a failing device are worth a retry
/// (`OUTAGE-01`). The messages of `std` name no path.
pub(crate) fn from_io(error: io::Error) -> Error {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::PermissionDenied | Kind::Unsupported | Kind::InvalidInput | Kind::InvalidFilename => {
            Error::backend(error)
        }
        _ => Error::unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_unavailable_and_what_must_be_cured_is_backend() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::NotFound] {
            assert!(matches!(from_io(kind.into()), Error::Unavailable(_)), "{kind}");
        }
        assert!(matches!(from_io(io::ErrorKind::PermissionDenied.into()), Error::Backend(_)));
    }
}
