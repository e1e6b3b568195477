//! The counters of the feature `metrics`. Their labels are words of this crate; never a key, an id or a value.

/// Counts something that happened to a session, by the name of the counter.
#[cfg(feature = "metrics")]
pub(crate) fn count(name: &'static str) {
    metrics::counter!(name).increment(1);
}

/// Counts as many at once, for a reason.
#[cfg(feature = "metrics")]
pub(crate) fn count_many_for(name: &'static str, reason: &'static str, many: u64) {
    metrics::counter!(name, "reason" => reason).increment(many);
}

/// Counts something that has a reason.
#[cfg(feature = "metrics")]
pub(crate) fn count_for(name: &'static str, reason: &'static str) {
    metrics::counter!(name, "reason" => reason).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn count(_name: &'static str) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn count_many_for(_name: &'static str, _reason: &'static str, _many: u64) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn count_for(_name: &'static str, _reason: &'static str) {}
