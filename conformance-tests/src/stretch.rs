//! Limits of time on a machine that is slower than most: one variable stretches all of them.

use std::sync::LazyLock;
use std::time::Duration;

/// The environment variable that stretches every limit of the suite by its factor.
pub(crate) const STRETCH: &str = "SESSION_CONFORMANCE_STRETCH";

/// Returns the limit, stretched by the factor that the environment names.
pub(crate) fn stretched(limit: Duration) -> Duration {
    static FACTOR: LazyLock<f64> = LazyLock::new(|| factor(std::env::var(STRETCH).ok().as_deref()));
    limit.mul_f64(*FACTOR)
}

/// What is no number, or shortens, is taken for 1.
fn factor(text: Option<&str>) -> f64 {
    text.and_then(|text| text.trim().parse().ok()).filter(|factor| (1.0..1e6).contains(factor)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_a_number_that_does_not_shorten() {
        for (text, wanted) in [
            (None, 1.0),
            (Some("3"), 3.0),
            (Some(" 1.5"), 1.5),
            (Some("0.1"), 1.0),
            (Some("x"), 1.0),
            (Some("inf"), 1.0),
        ] {
            assert!((factor(text) - wanted).abs() < 1e-9, "{text:?}");
        }
    }
}
