//! The tables of the stores.

use std::fmt::Write as _;

use super::behind::{does_more, is_behind};
use super::each;
use crate::results::{Call, OURS, RAW, Results, Row, STORES, median};

/// The size and the number of tasks that the short tables show.
pub const SIZE: usize = 2048;
/// See [`SIZE`].
pub const TASKS: usize = 16;

/// Finds what a contestant did.
pub fn find<'r>(
    results: &'r Results,
    store: &str,
    who: &str,
    call: Call,
    size: usize,
    tasks: usize,
) -> Option<&'r Row> {
    results
        .rows
        .iter()
        .find(|row| (&*row.store, &*row.contestant, row.call, row.size, row.tasks) == (store, who, call, size, tasks))
}

/// Returns how fast a row is as a part of another, round by round, since both were measured side by side; the middle one, and
/// half of what lies between the quartiles.
pub fn ratio(row: &Row, to: &Row) -> (f64, f64) {
    let mut ratios: Vec<f64> = row.rates.iter().zip(&to.rates).map(|(rate, to)| rate / to.max(1e-9)).collect();
    ratios.sort_by(f64::total_cmp);
    let at =
        |part: f64| ratios.get((ratios.len().saturating_sub(1) as f64 * part).round() as usize).copied().unwrap_or(0.0);
    (median(&ratios), (at(0.75) - at(0.25)) / 2.0)
}

/// Returns the ratio to the raw driver.
pub fn of_raw(results: &Results, store: &str, who: &str, call: Call, size: usize, tasks: usize) -> Option<(f64, f64)> {
    let raw = find(results, store, RAW, call, size, tasks)?;
    find(results, store, who, call, size, tasks).map(|row| ratio(row, raw))
}

/// Returns the processor time of a call as a part of the raw driver's, server included: steadier than the clock on a busy machine.
pub fn cpu_of_raw(results: &Results, store: &str, who: &str, call: Call, size: usize, tasks: usize) -> Option<f64> {
    let raw = find(results, store, RAW, call, size, tasks)?;
    let row = find(results, store, who, call, size, tasks)?;
    Some((row.cpu + row.server_cpu) / (raw.cpu + raw.server_cpu).max(1e-9))
}

/// Returns those who are neither ours nor the driver.
pub fn peers<'r>(results: &'r Results, store: &str) -> Vec<&'r str> {
    let rows = results.rows.iter().filter(|row| row.store == store && row.contestant != OURS);
    each(rows.map(|row| &*row.contestant)).into_iter().filter(|name| !name.starts_with("raw")).collect()
}

/// Returns the fastest peer's ratio to the raw driver.
pub fn best_peer(results: &Results, store: &str, call: Call, size: usize, tasks: usize) -> Option<(f64, String)> {
    let ratios = peers(results, store).into_iter().filter_map(|peer| {
        let has_failed = find(results, store, peer, call, size, tasks).is_none_or(|row| row.failures > 0);
        of_raw(results, store, peer, call, size, tasks)
            .filter(|_| !has_failed)
            .map(|(ratio, _)| (ratio, peer.to_owned()))
    });
    ratios.max_by(|one, other| one.0.total_cmp(&other.0))
}

/// The table for the front page: ours, bold where no peer is faster, and the best of the others.
pub fn summary(results: &Results) -> String {
    let mut text = format!("| {} KiB, {TASKS} tasks |", SIZE / 1024);
    for call in Call::ALL {
        let _ = write!(text, " {} |", call.name());
    }
    text += "\n|---|--:|--:|--:|--:|--:|\n";
    for store in STORES {
        if find(results, store, OURS, Call::Load, SIZE, TASKS).is_none() || store.ends_with("-synced") {
            continue;
        }
        let _ = write!(text, "| {store} |");
        for call in Call::ALL {
            let ours = of_raw(results, store, OURS, call, SIZE, TASKS).map_or(0.0, |(ratio, _)| ratio);
            let peer =
                best_peer(results, store, call, SIZE, TASKS).map_or(String::new(), |(peer, _)| format!(" ({peer:.2})"));
            let bold = if is_behind(results, store, call, SIZE, TASKS) { "" } else { "**" };
            let _ = write!(text, " {bold}{ours:.2}{bold}{peer} |");
        }
        text.push('\n');
    }
    text
}

/// All tables, store by store.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    for store in STORES {
        let rows: Vec<&Row> = results.rows.iter().filter(|row| row.store == store).collect();
        if rows.is_empty() {
            continue;
        }
        let contestants = each(rows.iter().map(|row| &*row.contestant));
        let mut tasks: Vec<usize> = rows.iter().map(|row| row.tasks).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let mut sizes: Vec<usize> = rows.iter().map(|row| row.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let all = tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
        let _ =
            write!(text, "\n### {store}\n\nSpeed as a part of the raw driver's, with {all} tasks:\n\n| call | bytes |");
        for name in contestants.iter().skip(1) {
            let _ = write!(text, " {name} |");
        }
        text += "\n|---|--:|";
        text += &"---|".repeat(contestants.len() - 1);
        for call in Call::ALL {
            for &size in &sizes {
                let _ = write!(text, "\n| {} | {size} |", call.name());
                for name in contestants.iter().skip(1) {
                    let cells = tasks.iter().map(|&tasks| cell(results, store, name, call, size, tasks));
                    let _ = write!(text, " {} |", cells.collect::<Vec<_>>().join(" · "));
                }
            }
        }
        text += "\n";
        behind(&mut text, results, store, &sizes, &tasks);
        processor(&mut text, results, store, &contestants, &sizes, &tasks, &all);
        details(&mut text, results, store, &contestants, &sizes, &tasks);
    }
    text
}

fn cell(results: &Results, store: &str, who: &str, call: Call, size: usize, tasks: usize) -> String {
    let has_failed = find(results, store, who, call, size, tasks).is_some_and(|row| row.failures > 0);
    let is_behind = who == OURS && is_behind(results, store, call, size, tasks);
    let mark = if has_failed {
        "†"
    } else if is_behind {
        "\\*"
    } else {
        ""
    };
    of_raw(results, store, who, call, size, tasks).map_or("–".to_owned(), |(ratio, _)| format!("{ratio:.2}{mark}"))
}

/// Says of each call at which a peer is ahead what ours does more.
fn behind(text: &mut String, results: &Results, store: &str, sizes: &[usize], tasks: &[usize]) {
    let is_ahead =
        |call| sizes.iter().all(|&size| tasks.iter().all(|&tasks| !is_behind(results, store, call, size, tasks)));
    let behind: Vec<Call> = Call::ALL.into_iter().filter(|call| !is_ahead(*call)).collect();
    if behind.is_empty() {
        return;
    }
    *text += "\n\\* A peer is ahead.";
    for call in behind {
        let more = does_more(store, call).unwrap_or("does no more; see how much the rounds differ (±)");
        let _ = write!(text, " **{}**: ours {more}.", call.name());
    }
    text.push('\n');
}

/// Processor time as a part of the raw driver's.
fn processor(
    text: &mut String,
    results: &Results,
    store: &str,
    contestants: &[&str],
    sizes: &[usize],
    tasks: &[usize],
    all: &str,
) {
    let _ = write!(
        text,
        "\nProcessor time as a multiple of the raw driver's, server included, with {all} tasks:\n\n| call | bytes |"
    );
    for name in contestants.iter().skip(1) {
        let _ = write!(text, " {name} |");
    }
    *text += "\n|---|--:|";
    *text += &"---|".repeat(contestants.len() - 1);
    for call in Call::ALL {
        for &size in sizes {
            let _ = write!(text, "\n| {} | {size} |", call.name());
            for name in contestants.iter().skip(1) {
                let cells = tasks.iter().map(|&tasks| {
                    cpu_of_raw(results, store, name, call, size, tasks)
                        .map_or("–".to_owned(), |times| format!("{times:.2}"))
                });
                let _ = write!(text, " {} |", cells.collect::<Vec<_>>().join(" · "));
            }
        }
    }
    text.push('\n');
}

/// The numbers themselves, for one size and number of tasks.
fn details(text: &mut String, results: &Results, store: &str, contestants: &[&str], sizes: &[usize], tasks: &[usize]) {
    let size = if sizes.contains(&SIZE) { SIZE } else { sizes[0] };
    let tasks = if tasks.contains(&TASKS) { TASKS } else { tasks[0] };
    let _ = write!(
        text,
        "\nThe same in numbers, {size} bytes and {tasks} tasks:\n\n| call | who | calls/s | of raw | µs of CPU here | µs of the server | p50 µs \
         | p99 µs | failed |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for call in Call::ALL {
        for who in contestants {
            let Some(row) = find(results, store, who, call, size, tasks) else { continue };
            let (ratio, noise) = of_raw(results, store, who, call, size, tasks).unwrap_or_default();
            let _ = writeln!(
                text,
                "| {} | {who} | {:.0} | {ratio:.2} ± {noise:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {} |",
                call.name(),
                median(&row.rates),
                row.cpu,
                row.server_cpu,
                row.p50,
                row.p99,
                row.failures,
            );
        }
    }
}
