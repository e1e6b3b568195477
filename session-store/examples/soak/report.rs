//! What was asked, what was answered, what was wrong, and how much of the machine it took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_store::core::{Error, Result};

use crate::{RECOVERY, TIMEOUT};

/// How much later than its time-out a call may end on a machine with other work.
const MARGIN: Duration = Duration::from_millis(500);

pub(crate) enum Answer<T> {
    /// The store said what became of the call.
    Done(Result<T>),
    /// It did not: `Unavailable`, or given up.
    Unknown,
}

#[derive(Default)]
pub(crate) struct Report {
    state: Mutex<State>,
    /// By how many milliseconds the machine was late for a thread that sleeps, of late.
    lag: AtomicU64,
}

#[derive(Default)]
struct State {
    /// The fault that is in force, if one is; since when; and how many there have been.
    fault: Option<&'static str>,
    since: Option<Instant>,
    epoch: u64,
    faults: BTreeMap<&'static str, u64>,
    /// By fault and call: asked, refused.
    calls: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    causes: BTreeMap<String, u64>,
    wrong: BTreeMap<String, u64>,
    latest: Duration,
    samples: Vec<[u64; 3]>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.state().wrong.is_empty()
    }

    pub(crate) fn wrong(&self, what: &str) {
        let mut state = self.state();
        let fault = state.fault.unwrap_or("well");
        let what = format!("{what} ({fault})");
        eprintln!("WRONG {what}");
        *state.wrong.entry(what).or_default() += 1;
    }

    /// A fault begins (`Some`), or everything is well again (`None`).
    pub(crate) fn turn(&self, fault: Option<&'static str>) {
        let mut state = self.state();
        (state.fault, state.since) = (fault, Some(Instant::now()));
        state.epoch += 1;
        if let Some(fault) = fault {
            *state.faults.entry(fault).or_default() += 1;
        }
    }

    /// Makes a call and notes what became of it.
    pub(crate) async fn call<T>(
        &self,
        name: &'static str,
        patience: Option<Duration>,
        call: impl Future<Output = Result<T>>,
    ) -> Answer<T> {
        let (start, epoch) = (Instant::now(), self.state().epoch);
        let answer = match patience {
            None => call.await,
            Some(patience) => match tokio::time::timeout(patience, call).await {
                Ok(answer) => answer,
                Err(_) => return Answer::Unknown,
            },
        };
        let took = start.elapsed();
        let (is_unavailable, is_permanent) = (
            matches!(answer, Err(Error::Unavailable(_))),
            matches!(answer, Err(Error::Backend(_) | Error::Corrupt(_))),
        );
        let cause = answer.as_ref().err().filter(|_| is_unavailable || is_permanent).map(chain);
        let late = took.saturating_sub(TIMEOUT + MARGIN + Duration::from_millis(self.lag.load(Ordering::Relaxed)));

        let mut state = self.state();
        let fault = state.fault.unwrap_or("well");
        let count = state.calls.entry((fault, name)).or_default();
        count.0 += 1;
        count.1 += u64::from(is_unavailable || is_permanent);
        state.latest = state.latest.max(took);
        let was_well =
            state.fault.is_none() && state.epoch == epoch && state.since.is_none_or(|since| start > since + RECOVERY);
        if let Some(cause) = &cause {
            *state.causes.entry(format!("{fault}: {cause}")).or_default() += 1;
        }
        drop(state);
        match cause {
            Some(cause) if is_permanent => self.wrong(&format!("{name} is refused for good: {cause}")),
            Some(cause) if fault == "memory full" && name.starts_with("delete") && !cause.contains("deadline") => {
                self.wrong(&format!("{name} is refused, and it would make room: {cause}"));
            }
            Some(cause) if was_well => self.wrong(&format!("{name} is refused although all is well: {cause}")),
            _ => {}
        }
        if !late.is_zero() {
            self.wrong(&format!("{name} ended {} s too late", late.as_millis().div_ceil(100) as f64 / 10.0));
        }
        if is_unavailable || is_permanent { Answer::Unknown } else { Answer::Done(answer) }
    }

    /// A thread of its own notices when the whole machine is late; then the calls are not at fault.
    pub(crate) fn watch_the_machine(self: &Arc<Self>) {
        let report = Arc::downgrade(self);
        std::thread::spawn(move || {
            let step = Duration::from_millis(50);
            let mut lags = [0; 100];
            for at in (0..lags.len()).cycle() {
                let start = Instant::now();
                std::thread::sleep(step);
                lags[at] = start.elapsed().saturating_sub(step).as_millis() as u64;
                let Some(report) = report.upgrade() else { return };
                report.lag.store(lags.iter().sum(), Ordering::Relaxed);
            }
        });
    }

    /// Notes memory, threads and sockets while all is well.
    pub(crate) fn sample(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let sockets = files.filter(|file| {
            std::fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        });
        let sample = [number("VmRSS:") / 1024, number("Threads:"), sockets.count() as u64];
        self.state().samples.push(sample);
    }

    /// Memory, threads and sockets of the last third beside those of the first.
    pub(crate) fn compare_samples(&self) {
        let Some((first, last)) = self.ends() else { return };
        for (what, at, slack) in [("memory in MiB", 0, 32), ("threads", 1, 16), ("sockets", 2, 8)] {
            if last[at] > first[at] + first[at] / 10 + slack {
                self.wrong(&format!("{what} grew from {} to {}", first[at], last[at]));
            }
        }
    }

    fn ends(&self) -> Option<([u64; 3], [u64; 3])> {
        let state = self.state();
        let third = state.samples.len().div_ceil(3);
        if third == 0 {
            return None;
        }
        let median = |part: &[[u64; 3]]| {
            std::array::from_fn(|at| {
                let mut values: Vec<u64> = part.iter().map(|sample| sample[at]).collect();
                values.sort_unstable();
                values[values.len() / 2]
            })
        };
        Some((median(&state.samples[..third]), median(&state.samples[state.samples.len() - third..])))
    }

    pub(crate) fn to_markdown(&self, seed: u64) -> String {
        let ends = self.ends();
        let state = self.state();
        let mut text = String::new();
        let faults: Vec<String> = state.faults.iter().map(|(fault, times)| format!("{fault} {times}")).collect();
        let (asked, refused) = state.calls.values().fold((0, 0), |sum, calls| (sum.0 + calls.0, sum.1 + calls.1));
        _ = writeln!(
            text,
            "seed {seed}; faults: {}; {asked} calls, {refused} of them refused, the latest after {:.1} s",
            faults.join(", "),
            state.latest.as_secs_f64()
        );
        if let Some((first, last)) = ends {
            _ = writeln!(
                text,
                "memory {} → {} MiB, threads {} → {}, sockets {} → {} (medians of the first and last third, while all is well)",
                first[0], last[0], first[1], last[1], first[2], last[2]
            );
        }
        _ = writeln!(text, "\nrefused of asked, by fault:");
        for ((fault, call), (asked, refused)) in &state.calls {
            if *refused > 0 {
                _ = writeln!(text, "  {fault:10} {call:15} {refused} of {asked}");
            }
        }
        _ = writeln!(text, "\ncauses:");
        for (cause, times) in &state.causes {
            _ = writeln!(text, "  {times:6} {cause}");
        }
        _ = writeln!(text, "\n{}", if state.wrong.is_empty() { "nothing was wrong" } else { "WRONG:" });
        for (what, times) in &state.wrong {
            _ = writeln!(text, "  {times:6} {what}");
        }
        text
    }
}

fn chain(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        _ = write!(words, ": {cause}");
        source = cause.source();
    }
    // Ports and numbers make no difference.
    let mut plain = String::new();
    for letter in words.chars().take(200) {
        if !letter.is_ascii_digit() {
            plain.push(letter);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}
