//! What is due at the end of a request: one call of the store, or none.

/// What the rules say is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A later expiry.
    Touch,
    /// The session as it is now.
    Write,
    /// Its end: nothing is left in it.
    End,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    Touch,
    Create,
    Update,
    Rotate,
    End,
}

/// What the native rules look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub(crate) struct Wants {
    pub(crate) is_stored: bool,
    /// The values, the owner or what the session keeps of its own differ from what is stored.
    pub(crate) is_changed: bool,
    /// Neither a value nor an owner is left.
    pub(crate) is_empty: bool,
    /// Another id is wanted.
    pub(crate) rotates: bool,
    /// A use moves the expiry by enough.
    pub(crate) is_touch_due: bool,
}

/// Decides by the native rules: nothing is stored until something is set (S15), and what was emptied ends.
pub(crate) fn due(wants: Wants) -> Due {
    match wants {
        Wants { is_stored: false, is_empty: true, .. } => Due::Nothing,
        Wants { is_stored: false, .. } => Due::Write,
        Wants { is_changed: true, is_empty: true, .. } => Due::End,
        Wants { is_changed: true, .. } | Wants { rotates: true, .. } => Due::Write,
        Wants { is_touch_due: true, .. } => Due::Touch,
        _ => Due::Nothing,
    }
}

/// Decides what is done about what is due.
pub(crate) fn action(due: Due, is_stored: bool, rotates: bool) -> Action {
    match (is_stored, due) {
        (_, Due::Nothing) | (false, Due::Touch | Due::End) => Action::Nothing,
        (false, Due::Write) => Action::Create,
        (true, Due::End) => Action::End,
        (true, _) if rotates => Action::Rotate,
        (true, Due::Write) => Action::Update,
        (true, Due::Touch) => Action::Touch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_rules_as_a_table() {
        // stored, changed, empty, rotates, touch due
        let table = [
            ("-----", Action::Create),
            ("--e--", Action::Nothing),
            ("-ce--", Action::Nothing),
            ("-cer-", Action::Nothing),
            ("-c---", Action::Create),
            ("-c-r-", Action::Create),
            ("s----", Action::Nothing),
            ("s---t", Action::Touch),
            ("s-e--", Action::Nothing),
            ("s-e-t", Action::Touch),
            ("s--r-", Action::Rotate),
            ("s-ert", Action::Rotate),
            ("sc---", Action::Update),
            ("sc--t", Action::Update),
            ("sc-rt", Action::Rotate),
            ("sce--", Action::End),
            ("scert", Action::End),
        ];
        for (flags, expected) in table {
            let has = |flag| flags.contains(flag);
            let wants = Wants {
                is_stored: has('s'),
                is_changed: has('c'),
                is_empty: has('e'),
                rotates: has('r'),
                is_touch_due: has('t'),
            };
            assert_eq!(action(due(wants), wants.is_stored, wants.rotates), expected, "{flags}");
        }
    }
}
