//! What we set out to reach, and what was reached.

use std::fmt::Write as _;

use super::stores::{cpu_of_raw, find, of_raw, ratio};
use crate::results::{Call, OURS, Results};

/// A number that was reached, as it is shown, and whether it is enough.
type Reached = Option<(String, bool)>;

/// Writes the table.
pub fn table(results: &Results) -> String {
    let mut text = "| work | target | reached | |\n|---|---|---|---|\n".to_owned();
    let mut row = |work: &str, target: &str, reached: Reached| {
        let (reached, verdict) = match reached {
            Some((reached, true)) => (reached, "met"),
            Some((reached, false)) => (reached, "**not met**"),
            None => ("not measured".to_owned(), ""),
        };
        let _ = writeln!(text, "| {work} | {target} | {reached} | {verdict} |");
    };
    let part = |store: &str, call: Call, size: usize, tasks: usize, least: f64| {
        of_raw(results, store, OURS, call, size, tasks).map(|(ratio, noise)| {
            let times = cpu_of_raw(results, store, OURS, call, size, tasks).unwrap_or_default();
            (format!("{ratio:.2} ± {noise:.2}; {times:.2} × its processor time"), ratio >= least)
        })
    };
    row("memory: load, 200 bytes, 16 tasks", "≥ 0.80", part("memory", Call::Load, 200, 16, 0.80));
    row("memory: bytes of a session beside its text", "≤ 160", memory(results));
    row("memory: worst stall of a reader during a sweep", "≤ 5 ms", stall(results, "worst meanwhile", 5000.0));
    row("memory: p99.99 of a reader during a sweep", "≤ 2 × without", tail(results));
    row("redis: load, 2 KiB, 64 tasks", "≥ 0.95", part("redis", Call::Load, 2048, 64, 0.95));
    row("redis: update, 2 KiB, 64 tasks, of a script that compares too", "≥ 0.95", redis_update(results));
    row("postgres: load, 2 KiB, 16 tasks", "≥ 0.97", part("postgres", Call::Load, 2048, 16, 0.97));
    row("postgres: create, 2 KiB, 16 tasks", "≥ 0.95", part("postgres", Call::Create, 2048, 16, 0.95));
    row("postgres: touches that are HOT", "all", hot(results));
    row("postgres: sweep that finds nothing, 100 000 rows", "≤ 0.3 ms", sweep(results));
    row("mariadb: load, 2 KiB, 16 tasks", "≥ 0.97", part("mariadb", Call::Load, 2048, 16, 0.97));
    row("mariadb: update, 2 KiB, 16 tasks", "≥ 0.97", part("mariadb", Call::Update, 2048, 16, 0.97));
    row("mariadb: create, 2 KiB, 16 tasks", "≥ 0.95", part("mariadb", Call::Create, 2048, 16, 0.95));
    row("sqlite: 32 writers, of one connection", "26 ×", writers(results, "survives the process", 26.0));
    row("sqlite: the same, surviving a loss of power", "11 ×", writers(results, "survives a loss of power", 11.0));
    row("mongo: load, 2 KiB, 16 tasks", "≥ 0.97", part("mongo", Call::Load, 2048, 16, 0.97));
    row("file: load, 2 KiB, 16 tasks", "≥ 0.95", part("file", Call::Load, 2048, 16, 0.95));
    row("file: update, 2 KiB, 16 tasks", "≥ 0.95", part("file", Call::Update, 2048, 16, 0.95));
    row("middleware: session not used", "≤ 0.4 µs, ≤ 10 allocations", middleware(results, "untouched", 0.4, 10.0));
    row("middleware: one value of 2 KiB read", "≤ 0.6 µs and its parsing", middleware(results, "read", 0.6, f64::MAX));
    row("middleware: one value of 2 KiB written", "≤ 5 µs", middleware(results, "write", 5.0, f64::MAX));
    for (store, read, write) in [("memory", 22.0, 19.0), ("Redis", 12.0, 9.0)] {
        for (path, least) in [("read", read), ("write", write)] {
            let work = format!("over HTTP, {store}, {path}: of express-session");
            row(&work, &format!("≥ {least} ×"), over_http(results, store, path, least));
        }
    }
    text
}

/// Finds a number in the first table whose name begins so.
fn figure<'r>(results: &'r Results, table: &str, row: &str, column: &str) -> Option<&'r str> {
    let mut figures = results.figures.iter().filter(|figure| figure.table.starts_with(table));
    figures.find(|figure| figure.row == row && figure.column == column).map(|figure| &*figure.value)
}

fn number(text: &str) -> Option<f64> {
    text.split(' ').next()?.trim_start_matches('+').parse().ok()
}

fn memory(results: &Results) -> Reached {
    let bytes = figure(results, "Memory of a session", OURS, "more than the text")?;
    Some((bytes.to_owned(), number(bytes)? <= 160.0))
}

fn stall(results: &Results, column: &str, most: f64) -> Reached {
    let text = figure(results, "A reader while", OURS, column)?;
    Some((text.to_owned(), number(text)? <= most))
}

fn tail(results: &Results) -> Reached {
    let value = |column| number(figure(results, "A reader while", OURS, column)?);
    let (with, without) = (value("p99.99 meanwhile")?, value("p99.99 without")?);
    Some((format!("{:.1} × ({with:.1} µs)", with / without), with <= 2.0 * without))
}

fn redis_update(results: &Results) -> Reached {
    let script = find(results, "redis", "raw, script", Call::Update, 2048, 64)?;
    let (ratio, noise) = ratio(find(results, "redis", OURS, Call::Update, 2048, 64)?, script);
    Some((format!("{ratio:.2} ± {noise:.2}"), ratio >= 0.95))
}

fn hot(results: &Results) -> Reached {
    let share = figure(results, "Postgres:", "HOT updates", "after")?;
    Some((share.to_owned(), number(share)? >= 99.0))
}

fn sweep(results: &Results) -> Reached {
    let micros = number(figure(results, "Growth: postgres", "100 000", "sweep of nothing")?)?;
    Some((format!("{:.2} ms", micros / 1000.0), micros <= 300.0))
}

fn writers(results: &Results, durability: &str, least: f64) -> Reached {
    let text = figure(results, &format!("SQLite, 32 writers, 2 KiB, {durability}"), OURS, "of one connection")?;
    Some((text.to_owned(), number(text)? >= least))
}

fn middleware(results: &Results, path: &str, most: f64, allocations: f64) -> Reached {
    let table = format!("In process: {path}");
    let (time, calls) =
        (figure(results, &table, OURS, "more than bare")?, figure(results, &table, OURS, "more than bare ")?);
    Some((format!("{time} µs, {calls} allocations"), number(time)? <= most && number(calls)? <= allocations))
}

fn over_http(results: &Results, store: &str, path: &str, least: f64) -> Reached {
    let table = format!("Over HTTP, {store}: {path}");
    let text = figure(results, &table, OURS, "of express-session")?;
    // What the core can do is the time that it takes; the rate is also what the load and Redis on the other core can.
    let core = |who| number(figure(results, &table, who, "µs of the server's core")?);
    let times = core("express-session")? / core(OURS)?.max(1e-9);
    Some((format!("{text} requests, {times:.1} × less of the core"), times >= least))
}
