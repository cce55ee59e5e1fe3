//! Ratios of sums. Each rounds once, half up, to hundredths; one without a denominator is none.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::counters::{Counters, Repeats};

/// A ratio in hundredths. In JSON and Parquet a number with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hundredths(pub i64);

impl Hundredths {
    /// `numerator × scale / denominator`; `None` without a denominator.
    pub fn of(numerator: i64, scale: i64, denominator: i64) -> Option<Self> {
        if denominator <= 0 {
            return None;
        }
        let (numerator, denominator) = (i128::from(numerator) * i128::from(scale) * 100, i128::from(denominator));
        let rounded = (2 * numerator + denominator).div_euclid(2 * denominator);
        Some(Self(i64::try_from(rounded).unwrap_or(i64::MAX)))
    }

    /// The nearest double, whose shortest form has at most two decimals.
    #[expect(clippy::cast_precision_loss, reason = "a ratio beyond 2^53 hundredths is no figure of a centre")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

impl Serialize for Hundredths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Hundredths {
    #[expect(clippy::cast_possible_truncation, reason = "a float's conversion stays at the end of the range")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self((f64::deserialize(deserializer)? * 100.0).round() as i64))
    }
}

/// What counts against a service level besides answers and abandons: Genesys' own switches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevel {
    /// Contacts that left the queue for another flow or queue count as missed.
    pub counts_flow_outs: bool,
    /// Short abandons do not count.
    pub leaves_out_short_abandons: bool,
}

/// What follows from counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Contacts that left a queue, in whatever way.
    pub total_contacts: i64,
    /// Handle time of a handled leg, in seconds.
    pub avg_duration_sec: Option<Hundredths>,
    /// Answers within target, in percent.
    pub service_level_pct: Option<Hundredths>,
    /// Contacts without a further answered one in seven days, in percent of the eligible.
    pub fcr_rate_pct: Option<Hundredths>,
    /// The mean score of surveys.
    pub customer_satisfaction_avg: Option<Hundredths>,
    /// Handle time of a session with any, in seconds: Genesys' average.
    pub aht_genesys_sec: Option<Hundredths>,
    /// Contacts without any further one in seven days, in percent of the eligible.
    pub no_contact_7d_pct: Option<Hundredths>,
    /// Abandoned, in percent of all that left the queue.
    pub abandon_rate_pct: Option<Hundredths>,
    /// For how long an answered contact waited, in seconds.
    pub avg_answer_wait_sec: Option<Hundredths>,
}

impl Figures {
    /// The names, for tables.
    pub const NAMES: &'static [&'static str] = &[
        "total_contacts",
        "avg_duration_sec",
        "service_level_pct",
        "fcr_rate_pct",
        "customer_satisfaction_avg",
        "aht_genesys_sec",
        "no_contact_7d_pct",
        "abandon_rate_pct",
        "avg_answer_wait_sec",
    ];

    /// How each is made, from the names of counters; `definitions.figures` of the document.
    pub const DEFINED: &'static [(&'static str, &'static str)] = &[
        ("abandon_rate_pct", "100 * abandoned / total_contacts"),
        ("aht_genesys_sec", "(talk_ms + held_ms + dial_ms + acw_ms) / 1000 / handle_sessions"),
        ("avg_answer_wait_sec", "answer_wait_ms / 1000 / answered"),
        ("avg_duration_sec", "(talk_ms + held_ms + dial_ms + acw_ms) / 1000 / handled"),
        ("customer_satisfaction_avg", "survey_score_centi / 100 / surveys"),
        ("fcr_rate_pct", "100 * fcr_resolved / fcr_eligible"),
        ("no_contact_7d_pct", "100 * no_contact_7d / fcr_eligible"),
        (
            "service_level_pct",
            "100 * within_target / (answered + abandoned [+ flow_out if countsFlowOuts] [- abandoned_short if leavesOutShortAbandons])",
        ),
        ("total_contacts", "answered + abandoned + flow_out + outcome_unknown"),
    ];

    /// The figures of these sums.
    pub fn of(counters: &Counters, repeats: Option<&Repeats>, level: ServiceLevel) -> Self {
        let c = counters;
        let sum = |parts: &[i64]| parts.iter().fold(0i64, |sum, part| sum.saturating_add(*part));
        let total_contacts = sum(&[c.answered, c.abandoned, c.flow_out, c.outcome_unknown]);
        let handle_ms = sum(&[c.talk_ms, c.held_ms, c.dial_ms, c.acw_ms]);
        let flow_outs = if level.counts_flow_outs { c.flow_out } else { 0 };
        let short = if level.leaves_out_short_abandons { c.abandoned_short } else { 0 };
        let judged = sum(&[c.answered, c.abandoned, flow_outs]) - short;
        let eligible = repeats.map_or(0, |repeats| repeats.fcr_eligible);
        let of_eligible = |count: fn(&Repeats) -> i64| Hundredths::of(repeats.map_or(0, count), 100, eligible);
        Self {
            total_contacts,
            avg_duration_sec: seconds(handle_ms, c.handled),
            service_level_pct: Hundredths::of(c.within_target, 100, judged),
            fcr_rate_pct: of_eligible(|repeats| repeats.fcr_resolved),
            customer_satisfaction_avg: seconds(sum(&[c.survey_score_centi]).saturating_mul(10), c.surveys),
            aht_genesys_sec: seconds(handle_ms, c.handle_sessions),
            no_contact_7d_pct: of_eligible(|repeats| repeats.no_contact_7d),
            abandon_rate_pct: Hundredths::of(c.abandoned, 100, total_contacts),
            avg_answer_wait_sec: seconds(c.answer_wait_ms, c.answered),
        }
    }

    /// The ratios by their names, without `total_contacts`.
    pub fn ratios(&self) -> [(&'static str, Option<Hundredths>); 8] {
        [
            ("avg_duration_sec", self.avg_duration_sec),
            ("service_level_pct", self.service_level_pct),
            ("fcr_rate_pct", self.fcr_rate_pct),
            ("customer_satisfaction_avg", self.customer_satisfaction_avg),
            ("aht_genesys_sec", self.aht_genesys_sec),
            ("no_contact_7d_pct", self.no_contact_7d_pct),
            ("abandon_rate_pct", self.abandon_rate_pct),
            ("avg_answer_wait_sec", self.avg_answer_wait_sec),
        ]
    }
}

/// `thousandths / 1000 / count`.
fn seconds(thousandths: i64, count: i64) -> Option<Hundredths> {
    Hundredths::of(thousandths, 1, count.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_rounds_half_up_and_once() {
        assert_eq!(Hundredths::of(1, 100, 3), Some(Hundredths(3_333)));
        assert_eq!(Hundredths::of(2, 100, 3), Some(Hundredths(6_667)));
        assert_eq!(Hundredths::of(1, 1, 200), Some(Hundredths(1)), "0.005");
        assert_eq!(Hundredths::of(1, 1, 201), Some(Hundredths(0)));
        assert_eq!((Hundredths::of(5, 1, 0), Hundredths::of(0, 100, 7)), (None, Some(Hundredths(0))));
        assert_eq!(Hundredths::of(i64::MAX, 100, 1), Some(Hundredths(i64::MAX)));
    }

    #[test]
    fn in_json_it_is_a_number_of_at_most_two_decimals_and_is_read_again() {
        for (hundredths, text) in [(17_250, "172.5"), (19_500, "195.0"), (3_333, "33.33"), (1, "0.01"), (0, "0.0")] {
            assert_eq!(serde_json::to_string(&Hundredths(hundredths)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Hundredths>(text).unwrap(), Hundredths(hundredths));
        }
        assert_eq!(serde_json::from_str::<Hundredths>("100").unwrap(), Hundredths(10_000));
    }

    #[test]
    fn each_figure_has_its_definition() {
        let counters = Counters {
            answered: 6,
            abandoned: 3,
            abandoned_short: 1,
            flow_out: 2,
            outcome_unknown: 1,
            within_target: 4,
            answer_wait_ms: 60_000,
            handled: 8,
            handle_sessions: 6,
            talk_ms: 900_000,
            held_ms: 60_000,
            dial_ms: 30_000,
            acw_ms: 210_000,
            surveys: 4,
            survey_score_centi: 1_550,
            ..Counters::default()
        };
        let repeats = Repeats { fcr_eligible: 5, fcr_resolved: 4, no_contact_7d: 3 };
        let hundredths = |value: f64| Some(Hundredths((value * 100.0).round() as i64));
        let figures = Figures::of(&counters, Some(&repeats), ServiceLevel::default());
        let wanted = Figures {
            total_contacts: 12,
            avg_duration_sec: hundredths(150.0),
            service_level_pct: hundredths(44.44),
            fcr_rate_pct: hundredths(80.0),
            customer_satisfaction_avg: hundredths(3.88),
            aht_genesys_sec: hundredths(200.0),
            no_contact_7d_pct: hundredths(60.0),
            abandon_rate_pct: hundredths(25.0),
            avg_answer_wait_sec: hundredths(10.0),
        };
        assert_eq!(figures, wanted);
        let level = |counts_flow_outs, leaves_out_short_abandons| {
            let level = ServiceLevel { counts_flow_outs, leaves_out_short_abandons };
            Figures::of(&counters, None, level).service_level_pct
        };
        assert_eq!(level(true, false), hundredths(36.36));
        assert_eq!(level(false, true), hundredths(50.0));
        assert_eq!(level(true, true), hundredths(40.0));
    }

    #[test]
    fn without_a_denominator_a_figure_is_null() {
        let figures = Figures::of(&Counters::default(), Some(&Repeats::default()), ServiceLevel::default());
        assert!(figures.ratios().iter().all(|(_, ratio)| ratio.is_none()));
        assert_eq!(figures.total_contacts, 0);
        assert_eq!(serde_json::to_value(figures).unwrap()["service_level_pct"], serde_json::Value::Null);
    }

    #[test]
    fn every_figure_is_named_and_defined() {
        let json = serde_json::to_value(Figures::default()).unwrap();
        let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut listed = Figures::NAMES.to_vec();
        listed.sort_unstable();
        assert_eq!(names, listed);
        assert_eq!(names, Figures::DEFINED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let ratios = Figures::default().ratios().map(|(name, _)| name);
        assert_eq!(Figures::NAMES[1..], ratios);
    }
}
