//! What happened to each rule, as a value: a table for people, JSON for tools, Markdown for a README.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::case::Level;
use crate::rule::{Requirement, Rule};

/// What happened to the rules when the suite was run on one store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The name of the store.
    pub store: String,
    /// One entry per rule that was chosen, in the order of the contract.
    pub entries: Vec<Entry>,
}

/// What happened to one rule.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The rule.
    pub rule: &'static Rule,
    /// How its case proves it.
    pub level: Level,
    /// What its case found.
    pub verdict: Verdict,
    /// How long the case took; zero if it did not run.
    pub elapsed: Duration,
}

/// What a case found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The store keeps the rule.
    Passed,
    /// The store breaks the rule, or the case could not be carried out; with what happened.
    Failed(String),
    /// The case could not run, with the reason.
    Ignored(String),
    /// The rule is waived, with the reason.
    Waived(String),
}

impl Report {
    /// Says whether no case failed.
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Returns the rules that failed, each with what happened.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.verdict {
            Verdict::Failed(message) => Some((entry.rule, message.as_str())),
            _ => None,
        })
    }

    /// Writes one line per rule and a line that counts them, for a terminal.
    pub fn to_table(&self) -> String {
        let mut text = String::new();
        for Entry { rule, verdict, elapsed, .. } in &self.entries {
            let (word, detail) = verdict.words();
            let millis = elapsed.as_millis();
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:13} {:6} {word:7} {millis:>6} ms  {detail}", rule.id, rule.requirement);
        }
        let _ = writeln!(text, "{}: {}", self.store, Counts::of(self));
        text
    }

    /// Writes the report as one JSON object.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Row<'a> {
            rule: &'a str,
            requirement: String,
            level: &'a str,
            verdict: &'a str,
            detail: &'a str,
            millis: u128,
        }
        #[derive(Serialize)]
        struct Whole<'a> {
            store: &'a str,
            rules: Vec<Row<'a>>,
        }
        let rules = self.entries.iter().map(|Entry { rule, level, verdict, elapsed }| {
            let (verdict, detail) = verdict.words();
            let (requirement, millis) = (rule.requirement.to_string(), elapsed.as_millis());
            Row { rule: rule.id, requirement, level: level.name(), verdict, detail, millis }
        });
        // Text and numbers are always valid JSON; serde_json has no reason to refuse.
        serde_json::to_string_pretty(&Whole { store: &self.store, rules: rules.collect() }).unwrap_or_default()
    }

    /// Writes the report as a Markdown table.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("| rule | | {} | |\n|---|---|---|---|\n", self.store);
        for Entry { rule, verdict, .. } in &self.entries {
            let (word, detail) = verdict.words();
            let detail = detail.lines().next().unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(text, "| {} | {} | {word} | {detail} |", rule.id, rule.requirement);
        }
        let _ = writeln!(text, "\n{}", Counts::of(self));
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_table())
    }
}

impl Verdict {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Passed => ("passed", ""),
            Self::Failed(message) => ("FAILED", message),
            Self::Ignored(reason) => ("ignored", reason),
            Self::Waived(reason) => ("waived", reason),
        }
    }
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    waived: usize,
}

impl Counts {
    fn of(report: &Report) -> Self {
        let mut counts = Self::default();
        for entry in &report.entries {
            *match entry.verdict {
                Verdict::Passed => &mut counts.passed,
                Verdict::Failed(_) => &mut counts.failed,
                Verdict::Ignored(_) => &mut counts.ignored,
                Verdict::Waived(_) => &mut counts.waived,
            } += 1;
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored, waived } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored, {waived} waived")
    }
}

/// Says what happened the way a person wants to read it: the rule, what happened, where the rule is written.
pub(crate) fn explain(rule: &Rule, what: &str) -> String {
    let Rule { id, requirement, text, section } = rule;
    let requirement: &Requirement = requirement;
    format!(
        "{id} ({requirement}): {text}\n  what happened: {what}\n  the rule is written in: session-core/CONTRACT.md, «{section}»"
    )
}
