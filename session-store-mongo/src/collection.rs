//! The name of a collection: what MongoDB takes, and cannot mistake for another.

/// The refusal of a name that MongoDB does not take for a collection, or keeps for itself.
///
/// A name is not empty and has no `$`, no control character, and no dot at either end or beside another; it does not
/// begin with `system.` or `enxcol_.`; and together with the name of the database and a dot it has at most 235 bytes, so
/// that the collection can be sharded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name cannot be that of a collection")]
pub struct InvalidCollection;

/// The most bytes of database, dot and collection that a sharded collection may have.
const MAX_NAMESPACE_BYTES: usize = 235;

/// Returns the name if it can be that of a collection of this database (`NAMESPACE-02`).
///
/// What is taken is compared byte for byte by the server, and never cut (`NAMESPACE-03`).
pub(crate) fn check<'a>(name: &'a str, database: &str) -> Result<&'a str, InvalidCollection> {
    let has_odd_dot = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let has_odd_letter = name.chars().any(|letter| letter == '$' || letter.is_control());
    let is_reserved = name.starts_with("system.") || name.starts_with("enxcol_.");
    let is_long = database.len() + 1 + name.len() > MAX_NAMESPACE_BYTES;
    if name.is_empty() || has_odd_dot || has_odd_letter || is_reserved || is_long {
        return Err(InvalidCollection);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_server_refuses_or_keeps_is_refused() {
        for good in ["sessions", "Sessions", "shop.sessions", "a b", "a\"b", "名前", "*", "systems", &"c".repeat(231)]
        {
            assert_eq!(check(good, "app"), Ok(good));
        }
        for bad in ["", ".a", "a.", "a..b", "..", "$a", "a$b", "a\0b", "a\n", "system.users", "enxcol_.a.esc"] {
            assert_eq!(check(bad, "app"), Err(InvalidCollection), "{bad:?}");
        }
        assert_eq!(check(&"c".repeat(232), "app"), Err(InvalidCollection));
    }
}
