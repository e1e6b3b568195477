//! What express-session decides at the end of a request, or when a handler saves.

use session_http::rules::Due;

/// What it looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub(crate) struct Wants {
    /// A handler saves; else the response is ready.
    pub(crate) is_save: bool,
    /// There is no `req.session`, or it cannot be stored.
    pub(crate) is_absent: bool,
    /// It is the session whose id the request presents.
    pub(crate) is_presented: bool,
    /// The values were stored before, by this request or, without `resave`, by an earlier one.
    pub(crate) has_saved: bool,
    /// The values are those that were stored last.
    pub(crate) is_saved: bool,
    /// The values are not those that were loaded, or the session has another id.
    pub(crate) is_modified: bool,
    /// `saveUninitialized`
    pub(crate) saves_uninitialized: bool,
}

/// Decides which call of the store is due.
pub(crate) fn due(wants: Wants) -> Due {
    let is_quiet = !wants.saves_uninitialized && !wants.has_saved && !wants.is_presented;
    let is_unsaved = if is_quiet { wants.is_modified } else { !wants.is_saved };
    match wants {
        Wants { is_absent: true, .. } => Due::Nothing,
        Wants { is_save: true, .. } => Due::Write,
        _ if is_unsaved => Due::Write,
        Wants { is_presented: true, .. } => Due::Touch,
        _ => Due::Nothing,
    }
}

/// What it looks at to decide about the cookie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub(crate) struct Telling {
    pub(crate) is_absent: bool,
    /// The cookie is `Secure`, and the request did not come over HTTPS.
    pub(crate) is_insecure: bool,
    pub(crate) is_presented: bool,
    pub(crate) is_modified: bool,
    /// The session has an age.
    pub(crate) has_end: bool,
    /// The commit failed.
    pub(crate) has_failed: bool,
    pub(crate) is_rolling: bool,
    pub(crate) saves_uninitialized: bool,
}

/// Decides whether the response sets the cookie.
pub(crate) fn sets_cookie(telling: Telling) -> bool {
    match telling {
        Telling { is_absent: true, .. } | Telling { is_insecure: true, .. } => false,
        // A session that a handler's save gave a new id is told also if the commit then failed.
        Telling { is_presented: true, has_failed: true, .. } => false,
        Telling { is_presented: true, is_rolling, has_end, is_modified, .. } => is_rolling || (has_end && is_modified),
        Telling { saves_uninitialized, is_modified, .. } => saves_uninitialized || is_modified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_as_a_table() {
        // save, absent, presented, has saved, saved, modified, U (saveUninitialized)
        let table = [
            ("-------", Due::Nothing),
            ("------U", Due::Write),
            ("-----m-", Due::Write),
            ("s------", Due::Write),
            ("sapgsmU", Due::Nothing),
            ("-a---mU", Due::Nothing),
            ("--p----", Due::Write),
            ("--pgs--", Due::Touch),
            ("--pg-m-", Due::Write),
            ("--pg---", Due::Write),
            ("s-pgs--", Due::Write),
            ("---gs--", Due::Nothing),
            ("---gsmU", Due::Nothing),
            ("---g-m-", Due::Write),
        ];
        for (flags, expected) in table {
            let has = |flag| flags.contains(flag);
            let wants = Wants {
                is_save: flags.starts_with('s'),
                is_absent: has('a'),
                is_presented: has('p'),
                has_saved: has('g'),
                is_saved: flags[1..].contains('s'),
                is_modified: has('m'),
                saves_uninitialized: has('U'),
            };
            assert_eq!(due(wants), expected, "{flags}");
        }
    }

    #[test]
    fn the_cookie_as_a_table() {
        // absent, insecure, presented, modified, end, failed, rolling, U (saveUninitialized)
        let table = [
            ("--------", false),
            ("-------U", true),
            ("---m----", true),
            ("---m-f--", true),
            ("------r-", false),
            ("a--m--rU", false),
            ("-i-m--rU", false),
            ("--p-----", false),
            ("--p----U", false),
            ("--pm----", false),
            ("--p-e---", false),
            ("--pme---", true),
            ("--p---r-", true),
            ("--pmefrU", false),
        ];
        for (flags, expected) in table {
            let has = |flag| flags.contains(flag);
            let telling = Telling {
                is_absent: has('a'),
                is_insecure: has('i'),
                is_presented: has('p'),
                is_modified: has('m'),
                has_end: has('e'),
                has_failed: has('f'),
                is_rolling: has('r'),
                saves_uninitialized: has('U'),
            };
            assert_eq!(sets_cookie(telling), expected, "{flags}");
        }
    }
}
