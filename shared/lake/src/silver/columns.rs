//! Silver's columns: the name and type of each, and where a row has its value.
//!
//! Invariant: columns are only ever added, and each time the version of the schema is counted up ([`super::schema`]). A field that the
//! policy lets through and that is not a list has one, or stands in `custom`.

use std::sync::LazyLock;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::Type;

use super::Row;

/// A column of the file.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
    pub(super) from: From,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// A 64-bit integer.
    Int,
    /// Milliseconds in UTC.
    Time,
    /// A flag.
    Bool,
}

impl ColumnKind {
    /// The type as Glue's tables call it.
    pub fn glue(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "bigint",
            Self::Time => "timestamp",
            Self::Bool => "boolean",
        }
    }
}

/// All columns, in the order of the file: name and type. The day, by which files are found, is in none of them.
pub fn columns() -> impl Iterator<Item = (&'static str, ColumnKind)> {
    COLUMNS.iter().map(|column| (column.name, column.kind))
}

/// Where a column's value comes from.
pub(super) enum From {
    /// The policy's field of the column's name, or a ref of what it masked.
    Field,
    Text(for<'r> fn(&'r Row<'_>) -> Option<&'r str>),
    Int(fn(&Row<'_>) -> Option<i64>),
    Bool(fn(&Row<'_>) -> bool),
    BronzeObject,
    MaskedFields,
    Extra,
    /// The fields that the description keeps here for want of a column.
    Custom,
}

impl Column {
    const fn field(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, from: From::Field }
    }

    const fn text(name: &'static str, text: for<'r> fn(&'r Row<'_>) -> Option<&'r str>) -> Self {
        Self { name, kind: ColumnKind::Text, from: From::Text(text) }
    }

    const fn int(name: &'static str, int: fn(&Row<'_>) -> Option<i64>) -> Self {
        Self { name, kind: ColumnKind::Int, from: From::Int(int) }
    }

    const fn bool(name: &'static str, flag: fn(&Row<'_>) -> bool) -> Self {
        Self { name, kind: ColumnKind::Bool, from: From::Bool(flag) }
    }

    const fn time(name: &'static str, time: fn(&Row<'_>) -> Option<i64>) -> Self {
        Self { name, kind: ColumnKind::Time, from: From::Int(time) }
    }

    pub(super) fn parquet(&self) -> Result<Type, ParquetError> {
        let (physical, logical) = match self.kind {
            ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Int => (Physical::INT64, None),
            ColumnKind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            ColumnKind::Bool => (Physical::BOOLEAN, None),
        };
        let builder = Type::primitive_type_builder(self.name, physical);
        builder.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()
    }
}

use ColumnKind::{Bool, Int, Text, Time};

/// All columns, in the order of the file. Add, never change.
pub(super) const COLUMNS: &[Column] = &[
    Column::text("org", |row| Some(row.org)),
    Column::field("division", Text),
    Column::text("event_id", |row| Some(row.event_id)),
    Column::text("interaction_id", |row| row.interaction_id),
    Column::text("entity_type", |row| row.entity_type),
    Column::text("entity_id", |row| row.entity_id),
    Column::field("participant_id", Text),
    Column::field("session_id", Text),
    Column::field("communication_id", Text),
    Column::text("source", |row| Some(row.source)),
    Column::text("topic", |row| Some(row.topic)),
    Column::text("schema_version", |row| Some(row.schema_version)),
    Column::text("event_type", |row| Some(row.event_type)),
    Column::text("activity", |row| Some(row.activity)),
    Column::text("lifecycle", |row| row.lifecycle),
    Column::time("occurred_at", |row| Some(row.occurred_at_ms)),
    Column::field("started_at", Time),
    Column::time("ingested_at", |row| row.ingested_at_ms),
    Column::time("processed_at", |row| row.processed_at_ms),
    Column::field("media", Text),
    Column::field("message_type", Text),
    Column::field("direction", Text),
    Column::field("provider", Text),
    Column::field("queue_id", Text),
    Column::field("agent_ref", Text),
    Column::field("answered_agent_ref", Text),
    Column::field("wrapup_code", Text),
    Column::field("flow_id", Text),
    Column::field("flow_type", Text),
    Column::field("flow_version", Text),
    Column::field("flow_outcome", Text),
    Column::field("flow_outcome_id", Text),
    Column::field("flow_outcome_start_time", Time),
    Column::field("flow_outcome_end_time", Time),
    Column::field("acd_outcome", Text),
    Column::field("disconnect_type", Text),
    Column::field("exit_reason", Text),
    Column::field("transfer_type", Text),
    Column::field("used_routing", Text),
    Column::field("routing_priority", Int),
    Column::field("skill_expression_applied", Bool),
    Column::field("outcome", Text),
    Column::field("callback_scheduled_time", Time),
    Column::field("service_name", Text),
    Column::field("action", Text),
    Column::field("alerting_duration_ms", Int),
    Column::field("callback_duration_ms", Int),
    Column::field("connected_duration_ms", Int),
    Column::field("contacting_duration_ms", Int),
    Column::field("dialing_duration_ms", Int),
    Column::field("held_duration_ms", Int),
    Column::field("interacting_duration_ms", Int),
    Column::field("voicemail_duration_ms", Int),
    Column::field("wrapup_duration_ms", Int),
    Column::field("duration_ms", Int),
    Column::text("customer_ref", |row| row.customer_ref),
    Column::field("resolution_source", Text),
    Column::field("pii_collected", Bool),
    Column::field("consent_given", Bool),
    Column::field("consent_recording", Bool),
    Column::field("consent_marketing", Bool),
    Column::text("crm_tier", |row| row.crm_tier),
    Column::text("crm_product", |row| row.crm_product),
    Column::text("crm_owner", |row| row.crm_owner),
    Column { name: "masked_fields", kind: Text, from: From::MaskedFields },
    Column::text("policy_version", |row| Some(row.policy_version)),
    Column::text(TOKEN, |row| Some(row.lineage_token)),
    Column::text("lineage_provenance", |row| Some(row.lineage_provenance)),
    Column { name: "bronze_object", kind: Text, from: From::BronzeObject },
    Column::int("bronze_line", |row| i64::try_from(row.bronze_line).ok()),
    Column { name: "extra", kind: Text, from: From::Extra },
    Column::field("contact_center_id", Text),
    Column::field("queue_name", Text),
    Column::field("state_name", Text),
    Column::field("system_action", Text),
    Column::field("process_name", Text),
    Column::field("resolution_method", Text),
    Column::field("deletion_reason", Text),
    Column::field("status", Text),
    Column::field("consent_gdpr", Bool),
    Column::field("request_pending", Bool),
    Column::int("occurred_at_ms", |row| Some(row.occurred_at_ms)),
    Column::int("source_sequence", |row| row.sequence),
    Column::int("event_rank", |row| Some(i64::from(row.event_rank))),
    Column::text("occurred_at_from", |row| Some(if row.time_from_envelope { "envelope" } else { "own" })),
    Column::bool("zone_assumed", |row| row.zone_assumed),
    Column::text("lineage_from", |row| Some(row.lineage_from)),
    Column::text("lineage_ref", |row| row.lineage_ref),
    Column::text("flaws", |row| row.flaws),
    Column::field("presence", Text),
    Column::field("routing_status", Text),
    Column::field("current_value", Text),
    Column::field("previous_value", Text),
    Column::bool("country_assumed", |row| row.country_assumed),
    Column::field("phone_ref", Text),
    Column::field("email_ref", Text),
    Column::field("account_ref", Text),
    Column::field("name_ref", Text),
    Column::field("payment_ref", Text),
    Column::bool("erased", |row| row.erased),
    Column::text("lineage_derived", |row| row.lineage_derived),
    Column::field("survey_score_centi", Int),
    Column::field("survey_nps", Int),
    Column::field("outcome_source", Text),
    Column::text("outcome_map", |row| row.outcome_map),
    Column::field("outbound_campaign_id", Text),
    Column { name: "custom", kind: Text, from: From::Custom },
];

/// The columns that are null in the row of an event that an erasure covers: what says whom it was about, and what was known of them.
/// [`TOKEN`] is, too, if the row's token is its source's. Ids, times, durations, queues and agents stay.
pub const ERASED: &[&str] = &[
    "account_ref",
    "consent_gdpr",
    "consent_given",
    "consent_marketing",
    "consent_recording",
    "crm_owner",
    "crm_product",
    "crm_tier",
    "custom",
    "customer_ref",
    "email_ref",
    "extra",
    "lineage_provenance",
    "lineage_ref",
    "masked_fields",
    "name_ref",
    "payment_ref",
    "phone_ref",
    "pii_collected",
    "resolution_source",
];

/// The column of the lineage token.
pub const TOKEN: &str = "lineage_token";

/// Whether a row of an event that an erasure covers is null in this column. `lineage_from` is the row's own.
pub fn is_erased(column: &str, lineage_from: &str) -> bool {
    // One that was derived, also in place of one that was refused, says what the record's id says.
    let is_sources = !matches!(lineage_from, "derived" | "refused");
    ERASED.binary_search(&column).is_ok() || (column == TOKEN && is_sources)
}

/// Where in [`COLUMNS`] the policy's fields are, sorted by name.
pub(super) static FIELD_COLUMNS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut fields: Vec<usize> = (0..COLUMNS.len()).filter(|&at| matches!(COLUMNS[at].from, From::Field)).collect();
    fields.sort_unstable_by_key(|&at| COLUMNS[at].name);
    fields
});

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_event::catalogue;

    #[test]
    fn no_column_stands_twice() {
        let mut names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_name_of_the_policy_has_a_column_or_a_reason() {
        for name in catalogue::built_in().policy().stored_names() {
            let column = COLUMNS.iter().any(|column| column.name == name);
            let custom = catalogue::built_in().custom_fields().contains(&name);
            let places = [column, custom, ONLY_IN_THE_LEDGER.contains(&name)];
            assert_eq!(places.iter().filter(|is| **is).count(), 1, "{name}");
        }
    }

    #[test]
    fn columns_keep_their_place_and_new_ones_come_last() {
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(
            (names[0], names[15], names[70], names[87], names.len()),
            ("org", "occurred_at", "extra", "lineage_ref", 107)
        );
        assert_eq!(names[71..73], ["contact_center_id", "queue_name"]);
        assert_eq!(names[99..101], ["erased", "lineage_derived"]);
        assert_eq!((names[61], names[101], names[106]), ("crm_tier", "survey_score_centi", "custom"));
        assert_eq!(names[94..99].to_vec(), ledgerline_privacy::Joinable::ALL.map(|what| what.column()));
    }

    #[test]
    fn every_column_that_tells_of_a_person_is_erased() {
        assert!(ERASED.is_sorted());
        assert!(ERASED.iter().all(|name| COLUMNS.iter().any(|column| column.name == *name)));
        let of_agents = ["agent_ref", "answered_agent_ref"];
        for column in COLUMNS.iter().filter(|column| !of_agents.contains(&column.name)) {
            let names_a_person = column.name.ends_with("_ref")
                || ["crm_", "consent_", "pii_", "custom"].iter().any(|start| column.name.starts_with(start));
            assert!(!names_a_person || ERASED.contains(&column.name), "{}", column.name);
        }
        for (lineage_from, erased) in [("source", true), ("shared", true), ("derived", false), ("refused", false)] {
            assert_eq!(is_erased(TOKEN, lineage_from), erased, "{lineage_from}");
        }
        assert!(is_erased("extra", "derived") && !is_erased("queue_id", "source"));
    }

    /// What no analysis of interactions asks for.
    const ONLY_IN_THE_LEDGER: &[&str] = &[
        "organization_id",
        "participant_start_time",
        "requested_routing_agent_refs",
        "session_start_time",
        "speech_text_analytics_program_id",
        "transcription_start_time",
        "user_home_org_id",
    ];
}
