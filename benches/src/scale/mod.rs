//! What grows: memory, stalls, tables, queues of writers, and each call's cost.

pub mod growth;
pub mod memory;
pub mod postgres;
pub mod sweep;
pub mod writers;

/// Writes a number with a blank between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let start = digits.len() % 3;
    let mut text = digits[..start].to_owned();
    for group in digits.as_bytes()[start..].chunks(3) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(group.iter().map(|&digit| char::from(digit)));
    }
    text
}
