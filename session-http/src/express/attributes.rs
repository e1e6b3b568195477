//! What the npm package cookie takes for an attribute.

use std::borrow::Cow;

use serde_json::Value;

use crate::cookie::is_token;
use crate::{Priority, SameSite};

/// Says whether JavaScript takes a value for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Returns the text that JavaScript makes of a value.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads a word in any case.
pub(super) fn priority(value: &Value) -> Option<&'static str> {
    value.as_str()?.parse().ok().map(Priority::as_str)
}

/// Reads a word in any case, or `true`, which is `Strict`.
pub(super) fn same_site(value: &Value) -> Option<&'static str> {
    if *value == true { Some("Strict") } else { value.as_str()?.parse().ok().map(SameSite::as_str) }
}

pub(super) fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(is_label)
}

pub(super) fn is_path(path: &str) -> bool {
    path.bytes().all(|byte| matches!(byte, 0x20..=0x3a | 0x3d..=0x7e))
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}
