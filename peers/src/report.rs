//! The reports as one table: a store in each row, what it breaks by name.

use std::fmt::Write as _;

use conformance_tests::{Report, Verdict};

/// What is about names and the adapter makes up itself.
const NOT_ASKED: &[&str] = &["KEY", "NAMESPACE", "PEER-02"];

/// Writes the table. A case that did not end in its time says nothing about the store, and is not counted.
pub(crate) fn to_markdown(reports: &[Report]) -> String {
    let mut text = String::from("| store | passed | rules that it breaks |\n|---|---|---|\n");
    for report in reports {
        let asked = report.entries.iter().filter(|entry| !NOT_ASKED.iter().any(|rule| entry.rule.id.starts_with(rule)));
        let (mut ran, mut failed) = (0, Vec::new());
        for entry in asked {
            match &entry.verdict {
                Verdict::Passed => ran += 1,
                Verdict::Failed(message) if message.starts_with("no end after") => {
                    eprintln!("  {}: not decided, {message}", entry.rule.id);
                }
                Verdict::Failed(message) => {
                    ran += 1;
                    failed.push(entry.rule.id);
                    eprintln!("  {}: {}", entry.rule.id, message.lines().next().unwrap_or_default());
                }
                _ => {}
            }
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {} of {ran} | {} |", report.store, ran - failed.len(), failed.join(", "));
    }
    text
}
