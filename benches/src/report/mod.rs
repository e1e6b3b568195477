//! The report: Markdown and a plot.

pub mod behind;
pub mod plot;
pub mod stores;
pub mod targets;

use std::fmt::Write as _;

use crate::results::{Figure, Results};

/// Writes the whole report.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(include_str!("head.md"));
    text += "\n## Made on and with\n\n| | |\n|---|---|\n";
    for name in ["date", "commit", "processor", "memory", "system", "load", "rust", "crates", "stores"] {
        if let Some(value) = results.facts.get(name) {
            let _ = writeln!(text, "| {name} | {value} |");
        }
    }
    let programs = results.facts.iter().filter_map(|(name, version)| Some((name.strip_prefix("program ")?, version)));
    let programs: Vec<String> = programs.map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(text, "| programs | {} |", programs.join(", "));
    text += "\n## In short\n\n![Load and update of 2 KiB with 16 tasks, as a part of what the raw driver does](performance.svg)\n\n";
    text += &stores::summary(results);
    text += "\n## The targets\n\n";
    text += &targets::table(results);
    text += include_str!("findings.md");
    text += "\n## Every store, every peer\n\n";
    text += include_str!("stores.md");
    text += &stores::tables(results);
    text += "\n## HTTP\n\n";
    text += include_str!("http.md");
    text += &figures(results, |table| table.starts_with("In process") || table.starts_with("Over HTTP"));
    text += "\n## At scale\n\n";
    text += include_str!("scale.md");
    text += &figures(results, |table| !table.starts_with("In process") && !table.starts_with("Over HTTP"));
    text
}

/// Writes the tables of single numbers, in the order in which they were measured.
fn figures(results: &Results, is_wanted: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let figures: Vec<&Figure> = results.figures.iter().filter(|figure| is_wanted(&figure.table)).collect();
    for table in each(figures.iter().map(|figure| &*figure.table)) {
        let cells: Vec<&&Figure> = figures.iter().filter(|figure| figure.table == table).collect();
        let columns = each(cells.iter().map(|cell| &*cell.column));
        let _ = write!(text, "\n### {table}\n\n| |");
        for column in &columns {
            let _ = write!(text, " {column} |");
        }
        text += "\n|---|";
        text += &"--:|".repeat(columns.len());
        for row in each(cells.iter().map(|cell| &*cell.row)) {
            let bold = if row == "ours" { "**" } else { "" };
            let _ = write!(text, "\n| {bold}{row}{bold} |");
            for column in &columns {
                let cell = cells.iter().find(|cell| cell.row == row && cell.column == *column);
                let _ = write!(text, " {} |", cell.map_or("", |cell| &cell.value));
            }
        }
        text.push('\n');
    }
    text
}

/// Returns each of some names once, in their order.
fn each<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
