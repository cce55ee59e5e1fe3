//! A folder with silver files, as transform writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ledgerline_event::catalogue::built_in;
use ledgerline_lake::ObjectId;
use ledgerline_lake::silver::{Row, SilverWriter};
use ledgerline_privacy::{Clear, PseudonymKey};
use serde_json::{Value, json};

/// An event that is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) org: &'static str,
    pub(super) case: String,
    pub(super) kind: &'static str,
    pub(super) at_ms: i64,
}

impl Told {
    pub(super) fn new(case: &str, kind: &str, at_ms: i64) -> Self {
        let kind = built_in().event_types().find(|known| *known == kind).unwrap();
        Self { org: "acme", case: case.to_owned(), kind, at_ms }
    }
}

/// A folder that is being filled.
pub(super) struct Lake {
    root: PathBuf,
    fields: Vec<(&'static str, Clear)>,
    objects: u32,
}

impl Lake {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), fields: fields(), objects: 0 }
    }

    /// One bronze object's files.
    pub(super) fn write<'t>(&mut self, told: impl IntoIterator<Item = &'t Told>) {
        self.objects += 1;
        let object = ObjectId::of("bronze", &format!("bronze/{}", self.objects));
        let (mut writer, extra) = (SilverWriter::new(object).unwrap(), BTreeMap::new());
        for (line, told) in (0_u64..).zip(told) {
            // An id is hex, and each its own.
            let event_id = format!("{:08x}{line:024x}", self.objects);
            let customer = format!("c_of_{}", told.case);
            let row = Row {
                org: told.org,
                event_id: &event_id,
                interaction_id: Some(&told.case),
                entity_type: None,
                entity_id: None,
                source: "genesys-eventbridge",
                topic: "t",
                schema_version: "2",
                event_type: told.kind,
                activity: told.kind,
                lifecycle: Some("complete"),
                occurred_at_ms: told.at_ms,
                time_from_envelope: false,
                zone_assumed: false,
                country_assumed: false,
                flaws: None,
                sequence: None,
                event_rank: built_in().rank_of(told.kind, Some(1)),
                ingested_at_ms: None,
                processed_at_ms: None,
                customer_ref: Some(&customer),
                crm_tier: None,
                crm_product: None,
                crm_owner: None,
                outcome_map: None,
                fields: &self.fields,
                masked: &[],
                policy_version: built_in().version(),
                lineage_token: "11111111-1111-4111-8111-111111111111",
                lineage_from: "derived",
                lineage_ref: None,
                lineage_derived: None,
                erased: false,
                lineage_provenance: "{}",
                bronze_line: line,
                extra: &extra,
            };
            writer.push(&row).unwrap();
        }
        for file in writer.finish().unwrap() {
            let path = self.root.join(&file.key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.parquet).unwrap();
        }
    }
}

/// What every row says, by the built-in policy.
fn fields() -> Vec<(&'static str, Clear)> {
    let said: [(&'static str, Value); 6] = [
        ("agent_ref", json!("9bbaa26b-2e33-5109-94f8-f0e345fe703d")),
        ("direction", json!("INBOUND")),
        ("media", json!("VOICE")),
        ("queue_id", json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
        ("session_id", json!("4c7ab29e-0f03-51b9-8a86-cbb493eedfd5")),
        ("wrapup_duration_ms", json!(30_000)),
    ];
    let texts: Vec<(&'static str, String)> = said.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let trees: Vec<_> =
        texts.iter().map(|(name, text)| (*name, ledgerline_json::parse(text.as_bytes()).unwrap())).collect();
    let masked =
        built_in().policy().mask(&PseudonymKey::new(1, [7; 32]), trees.iter().map(|(name, tree)| (*name, tree)));
    assert_eq!(masked.clear.len(), said.len(), "all of it is let through");
    masked.clear
}
