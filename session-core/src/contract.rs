#![doc = include_str!("../CONTRACT.md")]

/// The contract as Markdown, for tools: the conformance suite checks that every rule named in it has a case.
pub const TEXT: &str = include_str!("../CONTRACT.md");
