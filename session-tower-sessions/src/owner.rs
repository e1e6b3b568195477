//! Whose session it is, read from its values.

use std::collections::HashMap;

use serde_json::Value;
use session_core::OwnerId;

/// Reads the owner from what axum-login keeps: the `user_id` of its `axum-login.data`, as text.
///
/// `None` if nobody is logged in, and if the user's id is neither text nor a number, or no [`OwnerId`] can be made of it. For another
/// `data_key` than axum-login's default, write such a function yourself.
pub fn axum_login(values: &HashMap<String, Value>) -> Option<OwnerId> {
    match values.get("axum-login.data")?.get("user_id")? {
        Value::String(id) => OwnerId::parse(id).ok(),
        Value::Number(id) => OwnerId::parse(&id.to_string()).ok(),
        _ => None,
    }
}
