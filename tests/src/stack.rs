//! The running stack and its clients.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob as Event;
use ledgerline_aws::wrapping::KmsWrapping;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::object_row::Totals;
use ledgerline_store::table::Key;
use ledgerline_store::{head, object_row};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// How long a test waits for the chain: a cold emulator on a busy machine takes tens of seconds.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks at a condition.
const GLANCE: Duration = Duration::from_millis(150);
/// Records of one put: the service's own limit.
const RECORDS_PER_PUT: usize = 500;

/// An item of a table.
pub type Item = std::collections::HashMap<String, AttributeValue>;

/// The stack under test.
pub struct Stack {
    /// Object storage.
    pub s3: aws_sdk_s3::Client,
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Functions.
    pub lambda: aws_sdk_lambda::Client,
    firehose: aws_sdk_firehose::Client,
    local: ledgerline_traffic::stack::Stack,
    runtime: Runtime,
    _alone: MutexGuard<'static, ()>,
}

/// One test at a time: the stream gathers whatever arrives within a second into one bronze object, and a test counts its
/// objects' lines.
static ALONE: Mutex<()> = Mutex::new(());

impl Stack {
    /// The stack that `LEDGERLINE_STACK` names, or `None`, said loudly, where there is none.
    ///
    /// # Panics
    /// If the variable is set and its stack cannot be used: a broken stack must not look like a skipped test.
    pub fn running() -> Option<Self> {
        if xtask::paths::variable(xtask::paths::STACK_VARIABLE).is_none() {
            skipped("no LEDGERLINE_STACK; `cargo xtask test` starts one");
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let local = ledgerline_traffic::stack::Stack::load().unwrap_or_else(|fault| panic!("{fault}"));
        let clients = runtime.block_on(local.clients());
        let lambda = aws_sdk_lambda::Client::new(&runtime.block_on(local.sdk_config()));
        let stack = Self {
            s3: clients.s3,
            dynamodb: clients.dynamodb,
            sqs: clients.sqs,
            lambda,
            firehose: clients.firehose,
            local,
            runtime,
            _alone: alone,
        };
        // What an earlier test left behind must not be gathered together with what this one sends.
        stack.drained();
        Some(stack)
    }

    /// Waits until nothing moves any more.
    ///
    /// # Panics
    /// If patience ends or a dead-letter queue holds anything.
    pub fn drained(&self) -> Totals {
        self.block(self.local.wait_until_drained(PATIENCE)).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// The description of the stack.
    pub fn description(&self) -> &ledgerline_traffic::stack::Stack {
        &self.local
    }

    /// A function's configuration, as it is deployed.
    pub fn deployed(&self, logical: &str) -> GetFunctionConfigurationOutput {
        let name = &self.local.functions[logical];
        self.block(self.lambda.get_function_configuration().function_name(name).send()).unwrap()
    }

    /// Runs a future to its end.
    pub fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The name of a bucket.
    pub fn bucket(&self, logical: &str) -> &str {
        self.local.bucket(logical).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Puts records into the delivery stream, each as it is.
    pub fn send(&self, records: &[Vec<u8>]) {
        let stream = self.local.stream("EventStream").unwrap();
        for batch in records.chunks(RECORDS_PER_PUT) {
            let records =
                batch.iter().map(|bytes| Record::builder().data(Blob::new(bytes.as_slice())).build().unwrap());
            let put =
                self.firehose.put_record_batch().delivery_stream_name(stream).set_records(Some(records.collect()));
            let answer = self.block(put.send()).unwrap();
            assert_eq!(answer.failed_put_count(), 0, "the stream refused records");
        }
    }

    /// Runs a function of the deployment for one event, as its schedule would, and returns its answer.
    ///
    /// # Panics
    /// If the function fails.
    pub fn invoke(&self, logical: &str, event: &Value) -> Value {
        let invoke = self.lambda.invoke().function_name(&self.local.functions[logical]);
        let answer = self.block(invoke.payload(Event::new(event.to_string())).send()).unwrap();
        let said = answer.payload.as_ref().map_or(&[][..], Event::as_ref);
        assert!(answer.function_error.is_none(), "{logical}: {}", String::from_utf8_lossy(said));
        serde_json::from_slice(said).unwrap()
    }

    /// Runs the sweep now.
    pub fn sweep(&self) {
        self.invoke("SweepFunction", &json!({}));
    }

    /// Waits until a log has `size` entries, and sweeps until a checkpoint covers all of them: the schedule would, within a minute.
    pub fn signed(&self, log: &str, size: u64) {
        self.wait_for("a checkpoint of every entry", || {
            let head = self.head(log).unwrap_or_default();
            let seen = (number(&head, "signed"), number(&head, "size"));
            if seen == (size, size) {
                return Ok(());
            }
            if seen.1 == size {
                self.sweep();
            }
            Err(format!("signed {} of {}", seen.0, seen.1))
        });
    }

    /// Looks until `look` finds something.
    ///
    /// # Panics
    /// When patience ends; the message is `what` and what was seen last.
    #[expect(clippy::disallowed_methods, reason = "a deadline for a condition, never a measurement")]
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match look() {
                Ok(found) => return found,
                Err(seen) if Instant::now() > deadline => panic!("waited {PATIENCE:?} for {what}; last seen: {seen}"),
                Err(_) => std::thread::sleep(GLANCE),
            }
        }
    }

    /// All items of a table whose partition key begins so.
    pub fn items(&self, table: &str, partition_prefix: &str) -> Vec<Item> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let page = self.block(
                self.dynamodb
                    .scan()
                    .table_name(self.local.table(table).unwrap())
                    .filter_expression("begins_with(pk, :p)")
                    .expression_attribute_values(":p", AttributeValue::S(partition_prefix.to_owned()))
                    .consistent_read(true)
                    .set_exclusive_start_key(start)
                    .send(),
            );
            let page = page.unwrap();
            items.extend(page.items().to_vec());
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                return items;
            }
        }
    }

    /// The deployment's data keys, opened through KMS as anyone with transform's rights opens them.
    pub fn data_keys(&self) -> DataKeys {
        let clients = self.block(self.local.clients());
        let control = self.local.rows_of(&clients, "ControlTable").unwrap();
        let variables = self.deployed("TransformFunction").environment.unwrap().variables.unwrap();
        let kms = aws_sdk_kms::Client::new(&self.block(self.local.sdk_config()));
        let wrapping = Arc::new(KmsWrapping::new(kms, &variables["DATA_KEY_ID"]));
        DataKeys::new(control, wrapping, &variables["DEPLOYMENT_ID"])
    }

    /// A log's head.
    pub fn head(&self, log: &str) -> Option<Item> {
        self.item("ControlTable", &head::head_key(&LogId::parse(log).unwrap()))
    }

    /// The row of a bronze object.
    pub fn object_row(&self, object: &str) -> Option<Item> {
        self.item("ControlTable", &object_row::key(PlanOf::Bronze, object))
    }

    /// The item under a key, read consistently.
    pub fn item(&self, table: &str, key: &Key) -> Option<Item> {
        let get = self
            .dynamodb
            .get_item()
            .table_name(self.local.table(table).unwrap())
            .key("pk", AttributeValue::S(key.pk.clone()))
            .key("sk", AttributeValue::S(key.sk.clone()))
            .consistent_read(true);
        self.block(get.send()).unwrap().item
    }

    /// The keys of a bucket that begin so, in order.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let mut pages = self.s3.list_objects_v2().bucket(self.bucket(bucket)).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = self.block(pages.next()) {
            keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys
    }

    /// An object's bytes and its version.
    pub fn object(&self, bucket: &str, key: &str) -> (Vec<u8>, String) {
        self.block(async {
            let answer = self.s3.get_object().bucket(self.bucket(bucket)).key(key).send().await.unwrap();
            let version = answer.version_id().unwrap_or_default().to_owned();
            (answer.body.collect().await.unwrap().into_bytes().to_vec(), version)
        })
    }

    /// An object's text, unpacked if it is gzip.
    pub fn text(&self, bucket: &str, key: &str) -> Vec<u8> {
        unpacked(self.object(bucket, key).0)
    }
}

/// Unpacks gzip of any number of members; anything else stays as it is.
pub fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut text).unwrap();
    text
}

/// An item's key.
pub fn key_of(item: &Item) -> Key {
    Key::new(text(item, "pk"), text(item, "sk"))
}

/// A number attribute; 0 where it is absent.
pub fn number(item: &Item, name: &str) -> u64 {
    match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse().unwrap(),
        _ => 0,
    }
}

/// A text attribute; empty where it is absent.
pub fn text(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The folder of sample data, or `None`, said loudly, where there is none.
pub fn corpus() -> Option<PathBuf> {
    let found = xtask::paths::variable("LEDGERLINE_CORPUS").map(PathBuf::from);
    if found.is_none() {
        skipped("no LEDGERLINE_CORPUS");
    }
    found
}

/// Says that a test, or a part of it, does not run here, and why.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen; `cargo xtask test` counts these lines")]
pub fn skipped(why: &str) {
    println!("SKIPPED: {why}");
}
