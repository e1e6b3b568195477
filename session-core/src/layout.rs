//! Why a store refuses what it found where its records should be.

use crate::Error;

/// Why a store's `setup` or `verify` refuses the table, collection, folder or prefix that it was given.
///
/// It is the cause of an [`Error::Backend`], as a retry cures none of it; [`Error::layout`] finds it there. Layouts are numbered: each
/// store says in its README which number it writes, and `setup` knows the steps from one to the next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Nothing is there, and `verify` makes nothing.
    #[error("nothing is set up there; `setup` makes it")]
    Absent,
    /// Something is there that another program made. It was left as it is.
    #[error("what is there belongs to another program; choose another name")]
    Foreign,
    /// The layout is of an earlier version. `setup` takes it to the one that is needed; `verify` does not.
    #[error("the layout has number {found}, and {needed} is needed; `setup` takes it there")]
    Older {
        /// The number that was found.
        found: u32,
        /// The number that this version works with.
        needed: u32,
    },
    /// The layout is of a later version than this one knows. It was left as it is.
    #[error("the layout has number {found}, and this version knows {known} at most; use the newer version")]
    Newer {
        /// The number that was found.
        found: u32,
        /// The greatest number that this version works with.
        known: u32,
    },
    /// The layout has the right number, and a part is missing or is not what it should be.
    #[error("{part} is missing or is not what it should be")]
    Incomplete {
        /// The part by the name that the backend gives it: a column, a type, an index.
        part: String,
    },
    /// The account may not make what is missing.
    #[error(
        "this account has no right to create what is missing; let one that has run `setup`, and only `verify` here"
    )]
    NotAllowed,
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        Self::backend(error)
    }
}

impl Error {
    /// Returns why the layout was refused, if that is the cause of this error, and `None` for every other error.
    pub fn layout(&self) -> Option<&LayoutError> {
        match self {
            Self::Backend(cause) => cause.downcast_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_the_error() {
        let error = Error::from(LayoutError::Newer { found: 3, known: 2 });
        assert_eq!(error.layout(), Some(&LayoutError::Newer { found: 3, known: 2 }));
        assert_eq!(Error::backend("another reason").layout(), None);
        assert_eq!(Error::unavailable(LayoutError::Absent).layout(), None);
    }
}
