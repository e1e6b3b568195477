//! What a run was made on and with.

use std::fs;
use std::process::Command;

use crate::results::Results;

/// Writes down the machine, the commit, the date and the versions of everything. No names, no paths.
pub fn describe(results: &mut Results) {
    let mut fact = |name: &str, value: String| drop(results.facts.insert(name.to_owned(), value));
    let model = line_after("/proc/cpuinfo", "model name").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    fact("processor", format!("{model}, {cores} cores"));
    let kilobytes: u64 =
        line_after("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
    fact("memory", format!("{} GiB", kilobytes.div_ceil(1024 * 1024)));
    let release = said("uname", &["-r"]);
    fact("system", format!("Linux {}", release.split('.').take(2).collect::<Vec<_>>().join(".")));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    fact("load", format!("{} before the last part of the run", load.split(' ').next().unwrap_or_default()));
    fact("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]));
    fact("commit", said("git", &["rev-parse", "--short=12", "HEAD"]));
    fact("rust", said("rustc", &["--version"]));
    fact("crates", crates().join(", "));
}

fn line_after(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Returns the drivers and peers with their versions, from the lock file that this was built with.
fn crates() -> Vec<String> {
    const NAMES: [&str; 20] = [
        "actix-session",
        "axum",
        "axum_session",
        "axum_session_mongo",
        "axum_session_redispool",
        "axum_session_sqlx",
        "fred",
        "libsqlite3-sys",
        "mongodb",
        "redis",
        "saysion",
        "sqlx",
        "tokio",
        "tower-sessions",
        "tower-sessions-core",
        "tower-sessions-file-store",
        "tower-sessions-mongodb-store",
        "tower-sessions-moka-store",
        "tower-sessions-redis-store",
        "tower-sessions-sqlx-store",
    ];
    let lock = include_str!("../Cargo.lock");
    let packages = lock.split("[[package]]").filter_map(|package| {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix('"'));
        Some((field("name = \"")?, field("version = \"")?))
    });
    packages.filter(|(name, _)| NAMES.contains(name)).map(|(name, version)| format!("{name} {version}")).collect()
}
