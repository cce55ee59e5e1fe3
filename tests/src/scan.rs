//! Looks for planted personal data everywhere that it must not be: silver, plans, poison, ledger, tables, queues, logs.

use ledgerline_store::Family;
use ledgerline_store::claim;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::stack::{Stack, key_of, unpacked};

/// One place and its whole content as text.
pub struct Place {
    /// Where it is, for the message.
    pub name: String,
    /// What lies there, decoded.
    pub content: String,
    /// Whether it is a row of claims: digests under the event key on purpose, until they expire.
    pub is_claims: bool,
    /// What kind of row or object it is; of messages and logs, none.
    pub family: Option<Family>,
}

impl Place {
    /// A place that is not a row of claims.
    pub fn new(name: impl Into<String>, content: String) -> Self {
        Self { name: name.into(), content, is_claims: false, family: None }
    }
}

/// Every place outside of bronze. Large, and read whole: the local stack of a test run is small.
pub fn everywhere_but_bronze(stack: &Stack) -> Vec<Place> {
    let mut places = Vec::new();
    for bucket in ["LakeBucket", "StagedBucket", "LedgerBucket"] {
        for key in stack.keys(bucket, "") {
            let bytes = stack.object(bucket, &key).0;
            let content = if key.ends_with(".parquet") { rows(bytes) } else { lossy(&unpacked(bytes)) };
            let family = Family::of_object(&key);
            places.push(Place { family, ..Place::new(format!("{bucket}/{key}"), content) });
        }
    }
    for table in ["ControlTable", "IndexTable", "KeysTable"] {
        for item in stack.items(table, "") {
            // Debug prints every attribute name and value; binary ones are looked at as text beside it.
            let binary = item.values().filter_map(|value| value.as_b().ok()).map(|blob| lossy(blob.as_ref()));
            let content = format!("{item:?} {}", binary.collect::<String>());
            let is_claims = table == "IndexTable" && claim::is_key(&key_of(&item));
            let family = Family::of_key(&key_of(&item));
            places.push(Place { is_claims, family, ..Place::new(format!("{table} {:?}", item.get("pk")), content) });
        }
    }
    places.extend(messages(stack));
    places.extend(logs(stack));
    places
}

/// The needles that occur somewhere, with the first place that holds each. A needle itself is never printed: its index
/// in the list and the place are enough to find it.
pub fn found(needles: &[String], places: &[Place]) -> Vec<String> {
    let mut hits = Vec::new();
    for (index, needle) in needles.iter().enumerate() {
        if let Some(place) = places.iter().find(|place| place.content.contains(needle.as_str())) {
            hits.push(format!("needle {index} in {}", place.name));
        }
    }
    hits
}

/// What lies in every queue, dead-letter queues too, and is left there. A drained stack has empty ones, so this finds what
/// got stuck; what the messages in passing hold is tested on the fakes, and their content, pointers, stands in the plans.
fn messages(stack: &Stack) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, url) in &stack.description().queues {
        let receive = stack.sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let answer = stack.block(receive.visibility_timeout(0).send()).unwrap();
        let bodies = answer.messages().iter().filter_map(|message| message.body()).collect::<String>();
        places.push(Place::new(format!("queue {name}"), bodies));
    }
    places
}

/// Every line of every log group, as CloudWatch keeps them.
pub fn log_lines(stack: &Stack) -> String {
    let python = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let endpoint = &stack.description().endpoint;
    let output = python.command("python").args(["-c", READ_LOGS, endpoint]).output().unwrap();
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    lossy(&output.stdout)
}

/// The functions' logs, and the emulator's own.
fn logs(stack: &Stack) -> Vec<Place> {
    let content = log_lines(stack);
    assert!(content.contains("transform"), "transform has logged nothing: the scan would prove nothing");
    let own = std::fs::read(xtask::paths::local().join("ministack.log")).unwrap();
    vec![Place::new("function logs", content), Place::new("emulator log", lossy(&own))]
}

/// Prints every message of every log group. There is no SDK for CloudWatch Logs in the workspace, and one test needs none.
const READ_LOGS: &str = r#"
import boto3, sys
logs = boto3.client("logs", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
for page in logs.get_paginator("describe_log_groups").paginate():
    for group in page["logGroups"]:
        print(group["logGroupName"])
        for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            for event in events["events"]:
                print(event["message"])
"#;

fn rows(bytes: Vec<u8>) -> String {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
