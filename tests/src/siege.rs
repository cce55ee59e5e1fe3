//! Stores of a test's own in the running emulator, and the functions' binaries run on them one invocation at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::tree::{Edge, leaf_hash};
use ledgerline_store::{head, object_row};
use ledgerline_traffic::r#gen::{GenArgs, generate};
use serde_json::{Value, json};

use crate::org::nameless;
use crate::stack::{Item, Stack, key_of, number, text};
use ledgerline_traffic::host::{Function, Outcome, Run, Strike};

/// Interactions of the traffic: some hundred events.
const INTERACTIONS: u32 = 30;
/// Bronze objects that it is split into.
const OBJECTS: usize = 24;
/// The day of the traffic; long past, so that every hour of it is late, which matters to nobody here.
const DAY: time::Date = time::macros::date!(2026 - 03 - 02);

/// One invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// transform, with one notification.
    Transform {
        /// One that was acknowledged before, if there is any.
        again: bool,
        /// Twice at the same time.
        twins: bool,
    },
    /// audit-write, with what the queue gives.
    Append {
        /// Twice at the same time.
        twins: bool,
    },
    /// sweep.
    Sweep,
}

/// The stores, the functions, and what has not been acknowledged.
pub struct Siege<'a> {
    stack: &'a Stack,
    transform: Function,
    append: Function,
    sweep: Function,
    verify: Function,
    tables: Stores,
    queue_url: String,
    pending: Vec<String>,
    acknowledged: Vec<String>,
    events: BTreeMap<String, u64>,
    calls: BTreeMap<&'static str, u32>,
    turn: usize,
}

#[derive(Debug, Clone)]
struct Stores {
    control: String,
    index: String,
    keys: String,
    bronze: String,
    lake: String,
    staged: String,
    ledger: String,
}

impl<'a> Siege<'a> {
    /// Makes the stores, fills bronze by the real ingest, and reads the functions' environments from the deployment.
    ///
    /// # Panics
    /// If the emulator refuses anything.
    pub fn lay(stack: &'a Stack, seed: u64) -> Self {
        let name = format!("siege-{}", uuid::Uuid::new_v4().simple());
        let tables = Stores::make(stack, &name);
        let queue_url = stack.block(async {
            let create = stack.sqs.create_queue().queue_name(format!("{name}.fifo"));
            let create = create.attributes(QueueAttributeName::FifoQueue, "true");
            create.attributes(QueueAttributeName::VisibilityTimeout, "600").send().await.unwrap().queue_url.unwrap()
        });
        let mut args = GenArgs::calm(INTERACTIONS, seed, DAY);
        (args.duplicates, args.disorder, args.malformed) = (20.0, 10.0, 2.0);
        let traffic = generate(&args);
        let ingest = function(stack, "IngestFunction", "ingest", &tables, &queue_url);
        let each = traffic.records.len().div_ceil(OBJECTS);
        let mut pending = Vec::new();
        for (number, records) in traffic.records.chunks(each).enumerate() {
            let lines = ingested(stack, &ingest, records);
            let key = format!("bronze/event_type=interaction/siege/{number}.gz");
            let put = stack.s3.put_object().bucket(&tables.bronze).key(&key).body(gzip(&lines).into());
            stack.block(put.send()).unwrap();
            pending.push(key);
        }
        Self {
            stack,
            transform: function(stack, "TransformFunction", "transform", &tables, &queue_url),
            append: function(stack, "AuditWriteFunction", "audit-write", &tables, &queue_url),
            sweep: function(stack, "SweepFunction", "sweep", &tables, &queue_url),
            verify: function(stack, "VerifyFunction", "verify", &tables, &queue_url),
            tables,
            queue_url,
            pending,
            acknowledged: Vec::new(),
            events: traffic.planted.per_record.clone(),
            calls: BTreeMap::new(),
            turn: 0,
        }
    }

    /// How many AWS calls such an invocation made at most.
    pub fn usual_calls(&self, step: Step) -> u32 {
        self.calls.get(label(step)).copied().unwrap_or(40)
    }

    /// One invocation, or two at once of which the first may be struck. Acknowledges what the function acknowledged.
    ///
    /// # Panics
    /// If the emulator refuses anything.
    pub fn step(&mut self, step: Step, strike: Option<Strike>) -> Vec<Outcome> {
        match step {
            Step::Transform { again, twins } => self.transform(again, twins, strike),
            Step::Append { twins } => self.append(twins, strike),
            Step::Sweep => self.sweep(strike),
        }
    }

    /// Whether every notification is acknowledged, and every planned entry committed.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.rows().iter().all(|row| number(row, "planned") == number(row, "committed"))
    }

    /// What is not settled, in words.
    pub fn state(&self) -> String {
        let behind: Vec<String> = self
            .rows()
            .iter()
            .filter(|row| number(row, "planned") != number(row, "committed"))
            .map(|row| format!("{} {}/{}", text(row, "pk"), number(row, "committed"), number(row, "planned")))
            .collect();
        format!("{} notifications pending, objects behind: {behind:?}", self.pending.len())
    }

    fn transform(&mut self, again: bool, twins: bool, strike: Option<Strike>) -> Vec<Outcome> {
        self.turn += 1;
        let from = if again || self.pending.is_empty() { &self.acknowledged } else { &self.pending };
        let Some(key) = (!from.is_empty()).then(|| from[self.turn % from.len()].clone()) else { return Vec::new() };
        let event = notification(&self.tables.bronze, &key);
        let runs = self.run(&self.transform.clone(), &event, twins, strike);
        self.learn("transform", &runs);
        if runs.iter().any(|run| acknowledges_all(&run.outcome)) {
            self.pending.retain(|pending| *pending != key);
            if !self.acknowledged.contains(&key) {
                self.acknowledged.push(key);
            }
        }
        runs.into_iter().map(|run| run.outcome).collect()
    }

    fn append(&mut self, twins: bool, strike: Option<Strike>) -> Vec<Outcome> {
        let received = self.stack.block(
            self.stack
                .sqs
                .receive_message()
                .queue_url(&self.queue_url)
                .max_number_of_messages(10)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send(),
        );
        let messages = received.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            return Vec::new();
        }
        let event = pointers(&messages);
        let runs = self.run(&self.append.clone(), &event, twins, strike);
        self.learn("append", &runs);
        let answered = runs.iter().find_map(|run| match &run.outcome {
            Outcome::Answered(answer) => Some(answer.clone()),
            _ => None,
        });
        for message in &messages {
            let id = message.message_id().unwrap();
            let failed = answered.as_ref().is_none_or(|answer| {
                answer["batchItemFailures"]
                    .as_array()
                    .is_some_and(|items| items.iter().any(|item| item["itemIdentifier"] == id))
            });
            let handle = message.receipt_handle().unwrap();
            self.stack.block(async {
                let sqs = &self.stack.sqs;
                match failed {
                    // The visibility time-out, without the waiting.
                    true => {
                        let change = sqs.change_message_visibility().queue_url(&self.queue_url);
                        change.receipt_handle(handle).visibility_timeout(0).send().await.map(|_| ()).unwrap();
                    }
                    false => {
                        let delete = sqs.delete_message().queue_url(&self.queue_url);
                        delete.receipt_handle(handle).send().await.map(|_| ()).unwrap();
                    }
                }
            });
        }
        runs.into_iter().map(|run| run.outcome).collect()
    }

    fn sweep(&mut self, strike: Option<Strike>) -> Vec<Outcome> {
        let runs = self.run(&self.sweep.clone(), &json!({}), false, strike);
        self.learn("sweep", &runs);
        runs.into_iter().map(|run| run.outcome).collect()
    }

    fn run(&self, function: &Function, event: &Value, twins: bool, strike: Option<Strike>) -> Vec<Run> {
        self.stack.block(async {
            if twins {
                let (first, second) = tokio::join!(function.run(event, strike), function.run(event, None));
                vec![first, second]
            } else {
                vec![function.run(event, strike).await]
            }
        })
    }

    fn learn(&mut self, what: &'static str, runs: &[Run]) {
        let most = runs.iter().map(|run| run.calls).max().unwrap_or(0);
        let usual = self.calls.entry(what).or_default();
        *usual = most.max(*usual);
    }

    fn rows(&self) -> Vec<Item> {
        let is_row = |row: &Item| object_row::parse_key(&key_of(row)).is_some();
        self.scan(&self.tables.control).into_iter().filter(is_row).collect()
    }

    fn scan(&self, table: &str) -> Vec<Item> {
        let mut pages =
            self.stack.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = self.stack.block(pages.next()) {
            items.push(item.unwrap());
        }
        items
    }

    /// Everything that does not hold, in words: each event committed once, every object's equation, each head's root, and
    /// whatever the deployment's own verification finds once a sweep has run in peace.
    pub fn check(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let swept = self.sweep(None);
        match swept.as_slice() {
            [Outcome::Answered(summary)] if summary["failures"] == 0 => {}
            other => problems.push(format!("the sweep failed: {other:?}")),
        }
        let verified = self.run(&self.verify.clone(), &json!({ "look": "everything" }), false, None);
        match &verified[0].outcome {
            Outcome::Answered(summary) if summary["holds"] == true && summary["entries"].as_u64() > Some(0) => {}
            other => problems.push(format!("verification: {other:?}")),
        }
        for row in self.rows() {
            let parts = ["committed", "filtered", "duplicate", "quarantined"].map(|name| number(&row, name));
            if text(&row, "status") != "planned" || number(&row, "in") != parts.iter().sum::<u64>() {
                problems.push(format!("{} does not reconcile: {parts:?} of {}", text(&row, "pk"), number(&row, "in")));
            }
        }
        let mut seen = BTreeSet::new();
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        let control = self.scan(&self.tables.control);
        for (log, head) in control.iter().filter_map(|row| Some((head::parse_head_key(&key_of(row))?, row))) {
            for entry in self.entries(log.as_str(), head, &mut problems) {
                if !seen.insert(entry["eventId"].to_string()) {
                    problems.push(format!("{log}: {} is committed twice", entry["eventId"]));
                }
                let record = crate::org::per_record(std::slice::from_ref(&entry)).into_keys().next().unwrap();
                *found.entry(record).or_default() += 1;
            }
        }
        if nameless(&found) != nameless(&self.events) {
            let missing: u64 = self.events.values().sum();
            problems.push(format!("{missing} events were sent, {} are in the ledger", found.values().sum::<u64>()));
        }
        problems
    }

    fn entries(&self, log: &str, head: &Item, problems: &mut Vec<String>) -> Vec<Value> {
        let bucket = &self.tables.ledger;
        let prefix = format!("ledger/{log}/segment/");
        let listed = self.stack.block(self.stack.s3.list_objects_v2().bucket(bucket).prefix(prefix).send()).unwrap();
        let (size, mut edge, mut entries) = (number(head, "size"), Edge::empty(), Vec::new());
        let mut segments: BTreeMap<u64, Vec<Segment>> = BTreeMap::new();
        for object in listed.contents() {
            let key = object.key().unwrap();
            let bytes = self.stack.block(async {
                let answer = self.stack.s3.get_object().bucket(bucket).key(key).send().await.unwrap();
                answer.body.collect().await.unwrap().into_bytes()
            });
            let segment = Segment::read(key, &bytes).unwrap();
            segments.entry(segment.name().first).or_default().push(segment);
        }
        let committed: BTreeSet<String> =
            self.scan(&self.tables.control).iter().map(|row| text(row, "segment")).collect();
        while let Some(next) = segments.remove(&edge.size()) {
            // What a crash left beside the committed segment is an orphan; the markers say which is which.
            let Some(segment) = next.into_iter().find(|segment| committed.contains(&segment.name().key())) else {
                break;
            };
            for line in segment.lines() {
                edge.append(leaf_hash(line.as_bytes()));
                entries.push(serde_json::from_str(line).unwrap());
            }
        }
        let AttributeValue::B(root) = &head["root"] else { panic!("no root in {log}") };
        if edge.size() != size || root.as_ref() != edge.root().0 {
            problems.push(format!("{log}: the segments do not give the head"));
        }
        entries
    }
}

impl Stores {
    fn make(stack: &Stack, name: &str) -> Self {
        let table = |what: &str| {
            let name = format!("{name}-{what}");
            let key = |attribute: &str, kind| {
                KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().unwrap()
            };
            let definition = |attribute: &str| {
                let definition = AttributeDefinition::builder().attribute_name(attribute);
                definition.attribute_type(ScalarAttributeType::S).build().unwrap()
            };
            let create = stack.dynamodb.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
            let create = create.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
            let create = create.attribute_definitions(definition("pk")).attribute_definitions(definition("sk"));
            stack.block(create.send()).unwrap();
            name
        };
        let bucket = |what: &str, locked: bool| {
            let name = format!("{name}-{what}");
            stack.block(async {
                stack.s3.create_bucket().bucket(&name).object_lock_enabled_for_bucket(locked).send().await.unwrap();
                let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                stack
                    .s3
                    .put_bucket_versioning()
                    .bucket(&name)
                    .versioning_configuration(versioning)
                    .send()
                    .await
                    .unwrap();
            });
            name
        };
        Self {
            control: table("control"),
            index: table("index"),
            keys: table("keys"),
            bronze: bucket("bronze", false),
            lake: bucket("lake", false),
            staged: bucket("staged", false),
            ledger: bucket("ledger", true),
        }
    }

    fn instead_of(&self, variable: &str, queue_url: &str) -> Option<String> {
        let name = match variable {
            "CONTROL_TABLE" => &self.control,
            "INDEX_TABLE" => &self.index,
            "KEYS_TABLE" => &self.keys,
            "BRONZE_BUCKET" => &self.bronze,
            "LAKE_BUCKET" => &self.lake,
            "STAGED_BUCKET" => &self.staged,
            "LEDGER_BUCKET" => &self.ledger,
            // Nothing is old enough for the sweep to announce it again: the other queue stays unused.
            "LEDGER_QUEUE_URL" | "BRONZE_QUEUE_URL" => queue_url,
            _ => return None,
        };
        Some(name.to_owned())
    }
}

fn label(step: Step) -> &'static str {
    match step {
        Step::Transform { .. } => "transform",
        Step::Append { .. } => "append",
        Step::Sweep => "sweep",
    }
}

/// The deployed function's environment, with these stores in place of the deployment's.
fn function(stack: &Stack, logical: &str, binary: &str, stores: &Stores, queue_url: &str) -> Function {
    let description = stack.description();
    let deployed = stack.deployed(logical);
    let mut environment: Vec<(String, String)> = deployed
        .environment()
        .and_then(|environment| environment.variables())
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), stores.instead_of(name, queue_url).unwrap_or_else(|| value.clone())))
        .collect();
    for (name, value) in
        [("AWS_REGION", description.region.as_str()), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
    {
        environment.push((name.to_owned(), value.to_owned()));
    }
    Function {
        bootstrap: xtask::local::program(binary),
        environment,
        endpoint: description.endpoint.trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
    }
}

/// The bronze lines that ingest makes of these records.
fn ingested(stack: &Stack, ingest: &Function, records: &[Vec<u8>]) -> Vec<u8> {
    let records: Vec<Value> = (0..)
        .zip(records)
        .map(|(n, record)| json!({ "recordId": format!("{n:056}"), "approximateArrivalTimestamp": 1_772_460_400_000_u64, "data": STANDARD.encode(record) }))
        .collect();
    let event = json!({ "invocationId": "siege", "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/siege", "region": "us-east-1", "records": records });
    let run = stack.block(ingest.run(&event, None));
    let Outcome::Answered(answer) = run.outcome else { panic!("ingest: {:?}", run.outcome) };
    let mut lines = Vec::new();
    for record in answer["records"].as_array().unwrap() {
        assert_eq!(record["result"], "Ok");
        if record["metadata"]["partitionKeys"]["zone"] != "quarantine" {
            lines.extend(STANDARD.decode(record["data"].as_str().unwrap()).unwrap());
        }
    }
    lines
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn acknowledges_all(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty),
        _ => false,
    }
}

fn notification(bucket: &str, key: &str) -> Value {
    let body = json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key.replace('=', "%3D"), "size": 1 } } }] });
    json!({ "Records": [{ "messageId": "m", "receiptHandle": "r", "body": body.to_string(), "attributes": {},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:siege", "awsRegion": "us-east-1" }] })
}

fn pointers(messages: &[aws_sdk_sqs::types::Message]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            let attributes: BTreeMap<&str, &str> =
                message.attributes().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            json!({ "messageId": message.message_id(), "receiptHandle": message.receipt_handle(), "body": message.body(),
                "attributes": attributes, "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:siege.fifo", "awsRegion": "us-east-1" })
        })
        .collect();
    json!({ "Records": records })
}
