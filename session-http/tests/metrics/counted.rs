//! What is counted on one thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Keeps the counters of one thread.
#[derive(Default)]
pub(crate) struct Counted(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counted {
    /// Returns what a counter counted, with its label as in `name reason=text`, since the last time that it was asked
    /// for.
    pub(crate) fn take(&self, name: &str) -> u64 {
        let counters = self.0.lock().expect("no test panics under this lock");
        counters.get(name).map_or(0, |counter| counter.swap(0, Ordering::Relaxed))
    }

    /// Returns what all counters counted since the last time.
    pub(crate) fn take_all(&self) -> Vec<(String, u64)> {
        let counters = self.0.lock().expect("no test panics under this lock");
        let values = counters.iter().map(|(name, counter)| (name.clone(), counter.swap(0, Ordering::Relaxed)));
        values.filter(|(_, value)| *value > 0).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().expect("no test panics under this lock").keys().cloned().collect()
    }
}

impl Recorder for Counted {
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: String = key.labels().map(|label| format!(" {}={}", label.key(), label.value())).collect();
        let mut counters = self.0.lock().expect("no test panics under this lock");
        Counter::from_arc(counters.entry(format!("{}{labels}", key.name())).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }

    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
}
