//! What a command is given of the world: the time, and a way to show that long work goes on.
//!
//! Invariant: progress goes to standard error, and only if that is a terminal and nobody asked for JSON.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The world, as a command sees it.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Now, in epoch milliseconds.
    pub(crate) now_ms: u64,
    /// Threads for hashing and reading.
    pub(crate) threads: usize,
    /// Whether progress may be shown.
    pub(crate) progress: bool,
    /// The bearer token for the API.
    #[cfg(feature = "aws")]
    pub(crate) token: Option<Secret>,
    /// The API's key.
    #[cfg(feature = "aws")]
    pub(crate) api_key: Option<Secret>,
    /// The bearer token for an engine that mines processes: never the API's.
    #[cfg(feature = "aws")]
    pub(crate) mining_token: Option<Secret>,
}

/// What nothing may print.
#[cfg(feature = "aws")]
#[derive(Clone)]
pub(crate) struct Secret(String);

#[cfg(feature = "aws")]
impl Secret {
    /// Takes it.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one header that it goes into.
    pub(crate) fn expose_for_header(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "aws")]
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Context {
    /// A bar for work whose extent is known, or a spinner.
    pub(crate) fn progress(&self, what: &str, of: Option<u64>) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::stderr_with_hz(10));
        let template = if of.is_some() {
            "  {msg:<28} {bar:32.dim} {human_pos} of {human_len}  {eta} left"
        } else {
            "  {spinner:.dim} {msg:<28} {human_pos}"
        };
        // A template that does not parse would be a defect of ours; the bar then looks plain.
        let style = ProgressStyle::with_template(template).map(|style| style.progress_chars("━━─"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// Now as it stands in stored JSON: UTC, three decimals.
    #[cfg(feature = "aws")]
    pub(crate) fn now_text(&self) -> String {
        ledgerline_event::instant::to_rfc3339(i64::try_from(self.now_ms).unwrap_or(i64::MAX))
    }
}

/// A time as a person reads it: to the second, UTC.
pub(crate) fn moment(epoch_s: u64) -> String {
    let at = i64::try_from(epoch_s).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "–".to_owned())
}

/// How long something took, in its largest unit, for a column of a table.
#[cfg(feature = "aws")]
pub(crate) fn age(ms: u64) -> String {
    let s = ms / 1000;
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(seconds, _)| s >= 2 * seconds).unwrap_or((1, "s"));
    format!("{}{}", s / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_to_the_second() {
        assert_eq!(moment(1_772_460_000), "2026-03-02T14:00:00Z");
        assert_eq!(moment(u64::MAX), "–");
    }

    #[cfg(feature = "aws")]
    #[test]
    fn an_age_has_one_unit_and_two_digits_where_it_matters() {
        let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|s| age(s * 1000 + 999));
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }
}
