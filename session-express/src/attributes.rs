//! What the npm package cookie takes for an attribute.

use std::borrow::Cow;

use serde_json::Value;

use session_http::{Priority, SameSite};

/// Says whether JavaScript takes a value for true.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Returns the text that JavaScript makes of a value.
pub(crate) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads a word in any case.
pub(crate) fn priority(value: &Value) -> Option<Priority> {
    value.as_str()?.parse().ok()
}

/// Reads a word in any case, or `true`, which is `Strict`.
pub(crate) fn same_site(value: &Value) -> Option<SameSite> {
    if *value == true { Some(SameSite::Strict) } else { value.as_str()?.parse().ok() }
}

pub(crate) fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(is_label)
}

pub(crate) fn is_path(path: &str) -> bool {
    path.bytes().all(|byte| matches!(byte, 0x20..=0x3a | 0x3d..=0x7e))
}

/// Says whether it is a token of RFC 9110.
pub(crate) fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}
