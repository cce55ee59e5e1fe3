//! An entry as transform hands it over, for tests that say of it only what matters to them.

use std::collections::BTreeMap;

use ledgerline_ledger::entry::{PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::origin::PlanOf;

/// An agent's event in an interaction; its id follows from object and line, its time from the line: up to an hour's seconds, then
/// again from the start.
pub fn pending(org: &str, interaction: &str, object: &str, line: u64) -> PendingEntry {
    PendingEntry {
        event_id: PlanOf::Bronze.event_id(object, line),
        org: org.to_owned(),
        event_type: "user.start".to_owned(),
        activity: "Agent connected".to_owned(),
        record: Record::Interaction(interaction.to_owned()),
        occurred_at: format!("2026-03-02T14:{:02}:{:02}.000Z", (line / 60) % 60, line % 60),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: BTreeMap::new(),
        masked: Vec::new(),
        sealed: Sealed::default(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "genesys/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object: object.to_owned(), line },
        salt: [line as u8; 16],
    }
}
