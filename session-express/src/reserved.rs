//! The names in a session's data that are Express's and not the application's.

use session_core::Data;

use crate::ExpressCookie;

/// What every session of Express has by itself, beside its cookie: values of these names are dropped when a session is loaded.
const DROPPED: [&str; 20] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "destroy",
    "hasOwnProperty",
    "id",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "regenerate",
    "reload",
    "req",
    "resetMaxAge",
    "save",
    "toLocaleString",
    "toString",
    "touch",
    "valueOf",
];

/// What stored data has in it.
pub(crate) struct Taken {
    pub(crate) cookie: Option<ExpressCookie>,
    /// All of it but the cookie.
    pub(crate) original: Data,
    /// What the application can see.
    pub(crate) values: Data,
}

pub(crate) fn is_reserved(name: &str) -> bool {
    name == ExpressCookie::NAME || DROPPED.contains(&name)
}

/// Takes out of stored data what is not the application's.
pub(crate) fn take_out(data: &Data) -> Taken {
    let cookie = data.raw(ExpressCookie::NAME).and_then(ExpressCookie::from_json);
    let original = data.with_changes(&[(ExpressCookie::NAME, None)]);
    let values = original.with_changes(&DROPPED.map(|name| (name, None)));
    Taken { cookie, original, values }
}
