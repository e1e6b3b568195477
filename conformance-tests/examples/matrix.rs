//! Writes the reports of several stores as one Markdown table: stores × rules.
//!
//! `cargo run -p conformance-tests --example matrix -- FOLDER` reads the files that the suites wrote when they ran with
//! `SESSION_CONFORMANCE_REPORT=FOLDER`. With `--summary` a row is a heading of the contract instead of a rule.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use conformance_tests::Rule;
use serde::Deserialize;

#[derive(Deserialize)]
struct Report {
    store: String,
    rules: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    rule: String,
    verdict: String,
    detail: String,
}

impl Report {
    fn row(&self, id: &str) -> Option<&Row> {
        self.rules.iter().find(|row| row.rule == id)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_summary = arguments.iter().any(|argument| argument == "--summary");
    let folder =
        arguments.iter().find(|argument| !argument.starts_with("--")).ok_or("usage: matrix [--summary] FOLDER")?;
    let reports = read(Path::new(folder))?;
    let heads: String = reports.iter().map(|report| format!(" {} |", report.store)).collect();
    println!("| rule |{heads}\n|---|{}", "---|".repeat(reports.len()));
    if is_summary {
        for section in sections() {
            let rules: Vec<&Rule> = Rule::all().iter().filter(|rule| rule.section == section).collect();
            let cells: String = reports.iter().map(|report| format!(" {} |", share(report, &rules))).collect();
            println!("| {section} |{cells}");
        }
        let all: Vec<&Rule> = Rule::all().iter().collect();
        let cells: String = reports.iter().map(|report| format!(" **{}** |", share(report, &all))).collect();
        println!("| **all** |{cells}");
    } else {
        for rule in Rule::all() {
            let cells: String = reports.iter().map(|report| format!(" {} |", word(report, rule))).collect();
            println!("| {} {} |{cells}", rule.id, rule.requirement);
        }
    }
    notes(&reports);
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<Report>, Box<dyn Error>> {
    let mut reports: Vec<Report> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            reports.push(serde_json::from_str(&std::fs::read_to_string(path)?)?);
        }
    }
    reports.sort_by(|one, other| one.store.cmp(&other.store));
    Ok(reports)
}

fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = Rule::all().iter().map(|rule| rule.section).collect();
    sections.dedup();
    sections
}

/// How many of the rules passed, of those that could be tried; a failure is named.
fn share(report: &Report, rules: &[&Rule]) -> String {
    let count = |verdict: &str| {
        rules.iter().filter(|rule| report.row(rule.id).is_some_and(|row| row.verdict == verdict)).count()
    };
    let (passed, failed) = (count("passed"), count("FAILED"));
    let rest = rules.len() - passed - failed;
    let mut text = if passed + failed == 0 { "–".to_owned() } else { format!("{passed}/{}", passed + failed) };
    if rest > 0 && passed + failed > 0 {
        text.push_str(&format!(" (+{rest})"));
    }
    text
}

fn word(report: &Report, rule: &Rule) -> &'static str {
    match report.row(rule.id).map(|row| row.verdict.as_str()) {
        Some("passed") => "✓",
        Some("FAILED") => "**FAILED**",
        Some("waived") => "waived",
        _ => "–",
    }
}

/// Says under the table why something did not run.
fn notes(reports: &[Report]) {
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for report in reports {
        for row in report.rules.iter().filter(|row| row.verdict != "passed") {
            reasons.entry((&report.store, row.detail.lines().next().unwrap_or_default())).or_default().push(&row.rule);
        }
    }
    println!("\n✓ or n/m: passed. – or (+n): did not run, because");
    println!();
    for ((store, reason), rules) in reasons {
        println!("- {store}: {} ({reason})", rules.join(", "));
    }
}
