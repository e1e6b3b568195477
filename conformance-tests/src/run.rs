//! Runs the cases: as a test binary or for a report, in parallel, each with a watchdog.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::BoxError;
use tokio::runtime::{Handle, Runtime};

use crate::bench::Bench;
use crate::case::Case;
use crate::check::{Outcome, describe};
use crate::plan::Plan;
use crate::process;
use crate::report::{Entry, Report, Verdict, explain};
use crate::rule::Rule;
use crate::stretch::{STRETCH, stretched};
use crate::suite::Suite;

/// The environment variable that names the folder for reports.
const REPORT: &str = "SESSION_CONFORMANCE_REPORT";

pub(crate) fn as_test(suite: Suite) -> ExitCode {
    match try_as_test(suite) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("the conformance suite cannot run: {}", describe(&*error));
            ExitCode::FAILURE
        }
    }
}

fn try_as_test(suite: Suite) -> Result<ExitCode, BoxError> {
    let runtime = Arc::new(runtime()?);
    if let Some(namespace) = process::namespace_to_serve() {
        runtime.block_on(process::serve(&suite.factory, namespace))?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments = Arguments::from_args();
    let suite = Arc::new(suite);
    let entries = Arc::new(Mutex::new(Vec::new()));
    let trials = suite.cases()?.into_iter().map(|case| {
        let (plan, rule) = (suite.plan(&case), rule_of(&case));
        // What is ignored is decided and said while listing: a case that finds out later shows as passed in nextest.
        let (kind, is_ignored) = match &plan {
            Plan::Run => (suite.name.clone(), false),
            Plan::Ignore(reason) => (format!("{}: {reason}", suite.name), true),
            Plan::Waive(reason) => (format!("{}: waived, {reason}", suite.name), true),
        };
        let (suite, entries, handle) = (Arc::clone(&suite), Arc::clone(&entries), runtime.handle().clone());
        let run = move || {
            let entry = run_case(&suite, case, plan, &handle);
            let outcome = match &entry.verdict {
                Verdict::Passed => Ok(()),
                Verdict::Failed(what) => {
                    let what = explain(rule, what);
                    say_at_once(&what);
                    Err(Failed::from(what))
                }
                Verdict::Ignored(reason) | Verdict::Waived(reason) => {
                    Err(Failed::from(format!("cannot run: {reason}")))
                }
            };
            entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            outcome
        };
        Trial::test(rule.id, run).with_kind(kind).with_ignored_flag(is_ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let (Some(folder), false) = (std::env::var_os(REPORT), arguments.list) {
        let ran = std::mem::take(&mut *entries.lock().unwrap_or_else(PoisonError::into_inner));
        let report = complete(&suite, ran)?;
        std::fs::create_dir_all(&folder)?;
        std::fs::write(std::path::Path::new(&folder).join(format!("{}.json", report.store)), report.to_json())?;
    }
    Ok(conclusion.exit_code())
}

/// Says why a case failed when it fails, and not after the last one. Under nextest each case has a process of its own.
fn say_at_once(what: &str) {
    if std::env::var_os("NEXTEST").is_none() {
        eprintln!("{what}");
    }
}

/// Adds the cases that did not run, and sorts as the contract does.
fn complete(suite: &Suite, mut entries: Vec<Entry>) -> Result<Report, BoxError> {
    for case in suite.cases()? {
        let rule = rule_of(&case);
        if !entries.iter().any(|entry| entry.rule.id == rule.id) {
            let verdict = match suite.plan(&case) {
                Plan::Run => Verdict::Ignored("not chosen".into()),
                Plan::Ignore(reason) => Verdict::Ignored(reason),
                Plan::Waive(reason) => Verdict::Waived(reason),
            };
            entries.push(Entry { rule, level: case.level, verdict, elapsed: Duration::ZERO });
        }
    }
    entries.sort_by_key(|entry| Rule::all().iter().position(|rule| rule.id == entry.rule.id));
    Ok(Report { store: suite.name.clone(), entries })
}

pub(crate) fn as_report(suite: Suite, chosen: impl Fn(&str) -> bool) -> Result<Report, BoxError> {
    let runtime = runtime()?;
    let cases = suite.cases()?.into_iter().filter(|case| chosen(case.id));
    let queue = Mutex::new(cases.collect::<Vec<_>>().into_iter());
    let entries = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(case) = next else { return };
                    let plan = suite.plan(&case);
                    let entry = run_case(&suite, case, plan, runtime.handle());
                    entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
                }
            });
        }
    });
    // A case that was given up may still block; the report does not wait for it.
    runtime.shutdown_background();
    let mut entries = entries.into_inner().unwrap_or_else(PoisonError::into_inner);
    entries.sort_by_key(|entry| Rule::all().iter().position(|rule| rule.id == entry.rule.id));
    Ok(Report { store: suite.name, entries })
}

fn runtime() -> Result<Runtime, BoxError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?)
}

fn rule_of(case: &Case) -> &'static Rule {
    Rule::find(case.id).expect("a test of this crate compares cases and rules")
}

fn run_case(suite: &Suite, case: Case, plan: Plan, runtime: &Handle) -> Entry {
    let (rule, level, start) = (rule_of(&case), case.level, Instant::now());
    let (verdict, elapsed) = match plan {
        Plan::Ignore(reason) => (Verdict::Ignored(reason), Duration::ZERO),
        Plan::Waive(reason) => (Verdict::Waived(reason), Duration::ZERO),
        Plan::Run => (watched(suite, case, runtime), start.elapsed()),
    };
    Entry { rule, level, verdict, elapsed }
}

/// Runs the case on the runtime while this thread watches the time, so that a store that blocks is seen too.
fn watched(suite: &Suite, case: Case, runtime: &Handle) -> Verdict {
    #[cfg(feature = "traces")]
    crate::traces::capture();
    let (sender, receiver) = mpsc::channel();
    let (factory, hooks) = (suite.factory.clone(), suite.hooks.clone());
    let task = runtime.spawn(async move {
        let bench = Bench::set_up(&case, &factory, &hooks).await?;
        // The lines to the server stay as long as the space.
        let (index, _space) = (bench.indexes().next().cloned(), bench.space.clone());
        let outcome = (case.run)(bench).await;
        // What a case leaves behind is not its rule's concern: cleaning up may fail.
        if let Some(index) = index {
            let _ = index.clear().await;
        }
        outcome
    });
    let abort = task.abort_handle();
    runtime.spawn(async move { sender.send(task.await) });
    match receiver.recv_timeout(stretched(suite.limit)) {
        Ok(Ok(outcome)) => verdict(outcome),
        Ok(Err(panic)) => Verdict::Failed(format!("the case or the store panicked: {panic}")),
        Err(_) => {
            abort.abort();
            Verdict::Failed(too_slow(stretched(suite.limit)))
        }
    }
}

/// Says what may be done about a case that does not end: it hangs, or the build or the machine is slow.
fn too_slow(limit: Duration) -> String {
    format!(
        "no end after {} seconds, the limit of a case (`Suite::with_limit`): a call hangs, or the store is slow. A whole run on a \
         store in memory takes some seconds and one on a server a minute or two. What helps an embedded database in a debug build \
         is `opt-level = 3` under `[profile.dev.package.\"*\"]` in the workspace's Cargo.toml; on a machine that is busy, \
         {STRETCH}=3 makes every limit three times as long",
        limit.as_secs()
    )
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Passed,
        Err(failure) => Verdict::Failed(failure.to_string()),
    }
}
