//! What a request of a browser wants.

/// What the handler does with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Look,
    /// Adds the number of the request to a list, by a closure.
    Add,
    /// Sets a name of its own.
    Set,
    /// Adds the number if the list is not full yet, and stores that at once.
    Update,
    /// Removes everything, or the list alone.
    Clear,
    Take,
    /// Sets how long the session lives.
    SetMaxAge,
    /// Logs the user in, and adds the number too.
    Login(&'static str),
    Logout,
    Rotate,
    Reauthenticate,
    /// After the password was changed.
    EndOthers,
    /// Ends one other session of the user, from a list of them.
    EndOne,
}

/// Whether the handler saves before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Save {
    No,
    Yes,
    /// It stops waiting for the store after so many looks at it, and answers.
    Cancelled(u64),
}

/// One request, known by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) browser: usize,
    pub(crate) server: usize,
    pub(crate) act: Act,
    pub(crate) save: Save,
}

impl Act {
    pub(crate) fn is_read(self) -> bool {
        self == Self::Look
    }

    /// Says whether the number of the request is somewhere in the session if it is answered with a success.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Add | Self::Set | Self::Update | Self::Login(_))
    }

    /// Says whether it takes away what others wrote.
    pub(crate) fn removes(self) -> bool {
        matches!(self, Self::Clear | Self::Take)
    }

    pub(crate) fn gives_new_id(self) -> bool {
        matches!(self, Self::Login(_) | Self::Rotate | Self::Reauthenticate | Self::EndOthers)
    }
}
