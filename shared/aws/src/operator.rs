//! What an operator's command reads and does in a deployment: its description, queues, rows, settings, legal holds.
//!
//! Invariant: names come from the deployment's own description, never from a pattern, and what is written here is a hold
//! or its row and nothing else.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled, ObjectLockLegalHold, ObjectLockLegalHoldStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use serde::Deserialize;

use crate::config::{self, store_error};
use crate::evidence::{Tables, scan};
use crate::items::{self, Item, number, read_text, text};

/// The client of buckets, for whoever has a bucket and no deployment.
pub type S3 = aws_sdk_s3::Client;

/// Logical names of the template to physical names of a deployment; queues by URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Where the AWS APIs are, if not at the region's own endpoints.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The deployment's id, the first part of every log's origin. Read from the control table's name if it is not there.
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// Buckets.
    pub buckets: BTreeMap<String, String>,
    /// Tables.
    pub tables: BTreeMap<String, String>,
    /// Queues, by URL.
    #[serde(default)]
    pub queues: BTreeMap<String, String>,
    /// Functions.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
    /// KMS keys.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

impl Deployment {
    /// Reads a stack.json.
    ///
    /// # Errors
    /// It is not in that form.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The physical name of a bucket, table, queue, function or key.
    ///
    /// # Errors
    /// The description names none.
    pub fn named<'a>(names: &'a BTreeMap<String, String>, logical: &str) -> Result<&'a str, StoreError> {
        let missing = || StoreError::Denied(Failure::new(format!("the stack file names no {logical}")));
        names.get(logical).map(String::as_str).ok_or_else(missing)
    }

    /// The first part of every log's origin.
    ///
    /// # Errors
    /// It is neither given nor to be read from the control table's name.
    pub fn id(&self) -> Result<&str, StoreError> {
        if let Some(id) = &self.deployment_id {
            return Ok(id);
        }
        let table = Self::named(&self.tables, "ControlTable")?;
        let id = table.strip_prefix("ledgerline-").and_then(|rest| rest.strip_suffix("-control"));
        id.ok_or_else(|| StoreError::Denied(Failure::new("the stack file names no deploymentId")))
    }

    /// The SDK's configuration. Credentials are those of the environment; an emulator on this machine takes any.
    pub fn sdk_config(&self) -> SdkConfig {
        let config = config::load();
        let Some(endpoint) = &self.endpoint else {
            return config.into_builder().region(Region::new(self.region.clone())).build();
        };
        let builder = config.into_builder().region(Region::new(self.region.clone())).endpoint_url(endpoint);
        if is_loopback(endpoint) {
            let any = Credentials::new("test", "test", None, None, "an emulator on this machine");
            return builder.credentials_provider(SharedCredentialsProvider::new(any)).build();
        }
        builder.build()
    }
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

/// A deployment and the clients to talk to it.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its description.
    pub deployment: Deployment,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Keys.
    pub kms: aws_sdk_kms::Client,
    lambda: aws_sdk_lambda::Client,
}

/// The sum of all objects' rows: `input = committed + filtered + duplicate + quarantined + in flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects that have a row.
    pub objects: u64,
    /// Objects taken up and not planned yet.
    pub unplanned: u64,
    /// Events read.
    pub input: u64,
    /// Left out by the policy.
    pub filtered: u64,
    /// Claimed by another object.
    pub duplicate: u64,
    /// Set aside by transform.
    pub quarantined: u64,
    /// Planned for the ledger.
    pub planned: u64,
    /// In the ledger.
    pub committed: u64,
}

impl Totals {
    /// Planned and not committed yet.
    pub fn in_flight(&self) -> u64 {
        self.planned.saturating_sub(self.committed)
    }

    /// Whether every event is accounted for: nothing lost, nothing doubled.
    pub fn balance(&self) -> bool {
        self.planned >= self.committed && self.input == self.planned + self.filtered + self.duplicate + self.quarantined
    }
}

/// What lies in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting or delayed.
    pub waiting: u64,
    /// Being worked on.
    pub in_work: u64,
}

/// A queue's way to its dead-letter queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// The dead-letter queue's ARN, if there is one.
    pub dead_letter_arn: Option<String>,
    /// How long messages are kept.
    pub retention_s: u64,
}

/// The settings of the ledger's bucket that evidence depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// Versions are kept.
    pub versioned: bool,
    /// Objects can be locked.
    pub object_lock: bool,
    /// The default retention's mode, which there should not be.
    pub default_retention: bool,
    /// The bucket's policy, as JSON.
    pub policy: Option<String>,
}

/// What KMS says of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySettings {
    /// Its ARN.
    pub arn: String,
    /// `Enabled`, `PendingDeletion`…
    pub state: String,
    /// `ECC_NIST_EDWARDS25519`…
    pub spec: String,
    /// `SIGN_VERIFY`…
    pub usage: String,
}

/// A function's state and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionSettings {
    /// `Active`…
    pub state: String,
    /// The environment.
    pub variables: BTreeMap<String, String>,
}

/// A hold's row: what was meant, which the S3 holds and the entry carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// The hold's name.
    pub hold: String,
    /// `<org>/<record>`.
    pub record_key: String,
    /// The record's log.
    pub log: LogId,
    /// Why.
    pub purpose: String,
    /// On which legal basis.
    pub basis: String,
    /// When it must be looked at again.
    pub review: String,
    /// When it was placed first: it names the act, so that placing it again is the same act.
    pub placed_at: String,
    /// When it was lifted, if it was.
    pub lifted_at: Option<String>,
}

impl Operator {
    /// Makes the clients.
    pub fn new(deployment: Deployment) -> Self {
        let config = deployment.sdk_config();
        Self {
            s3: config::s3(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            deployment,
        }
    }

    /// The name of a bucket.
    ///
    /// # Errors
    /// The description names none.
    pub fn bucket(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.buckets, logical)
    }

    /// The name of a table.
    ///
    /// # Errors
    /// The description names none.
    pub fn table(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.tables, logical)
    }

    /// The URL of a queue.
    ///
    /// # Errors
    /// The description names none.
    pub fn queue(&self, logical: &str) -> Result<&str, StoreError> {
        Deployment::named(&self.deployment.queues, logical)
    }

    /// The tables that are evidence.
    ///
    /// # Errors
    /// The description does not name them.
    pub fn tables(&self) -> Result<Tables, StoreError> {
        Ok(Tables {
            client: self.dynamodb.clone(),
            control: self.table("ControlTable")?.to_owned(),
            index: self.table("IndexTable")?.to_owned(),
        })
    }

    /// Adds up the objects' rows.
    ///
    /// # Errors
    /// The table's.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        let table = self.table("ControlTable")?;
        scan(&self.dynamodb, table, "read the objects' rows", "sk = :row", (":row", "OBJ"), &mut |item| {
            let count = |name| items::read_number(item, name).unwrap_or_default();
            totals.objects += 1;
            totals.unplanned += u64::from(!item.contains_key("status"));
            totals.input += count("in");
            totals.filtered += count("filtered");
            totals.duplicate += count("duplicate");
            totals.quarantined += count("quarantined");
            totals.planned += count("planned");
            totals.committed += count("committed");
            Ok(())
        })
        .await?;
        Ok(totals)
    }

    /// What lies in a queue.
    ///
    /// # Errors
    /// The queue's.
    pub async fn depth(&self, logical: &str) -> Result<Depth, StoreError> {
        let attributes = self.queue_attributes(logical).await?;
        let count = |name| attributes.get(&name).and_then(|value: &String| value.parse().ok()).unwrap_or(0);
        Ok(Depth {
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages)
                + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
            in_work: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        })
    }

    /// Where a queue's dead letters go.
    ///
    /// # Errors
    /// The queue's.
    pub async fn queue_settings(&self, logical: &str) -> Result<QueueSettings, StoreError> {
        let attributes = self.queue_attributes(logical).await?;
        let redrive = attributes.get(&QueueAttributeName::RedrivePolicy);
        let redrive = redrive.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
        let arn = redrive.as_ref().and_then(|policy| policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned));
        let retention = attributes.get(&QueueAttributeName::MessageRetentionPeriod);
        Ok(QueueSettings {
            dead_letter_arn: arn,
            retention_s: retention.and_then(|value| value.parse().ok()).unwrap_or_default(),
        })
    }

    async fn queue_attributes(
        &self,
        logical: &str,
    ) -> Result<std::collections::HashMap<QueueAttributeName, String>, StoreError> {
        let url = self.queue(logical)?;
        let asked = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let answer = asked.send().await.map_err(|error| store_error(format!("look at queue {logical}"), error))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// The settings of the ledger's bucket.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn bucket_settings(&self, bucket: &str) -> Result<BucketSettings, StoreError> {
        let versioning = self.s3.get_bucket_versioning().bucket(bucket).send().await;
        let versioning =
            versioning.map_err(|error| store_error(format!("look at the versioning of {bucket}"), error))?;
        let lock = self.s3.get_object_lock_configuration().bucket(bucket).send().await;
        let lock = match lock.map_err(|error| store_error(format!("look at the Object Lock of {bucket}"), error)) {
            Ok(lock) => lock.object_lock_configuration,
            // S3 answers 404 where it was never turned on.
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let policy = self.s3.get_bucket_policy().bucket(bucket).send().await;
        let policy = match policy.map_err(|error| store_error(format!("read the policy of {bucket}"), error)) {
            Ok(policy) => policy.policy,
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let enabled = lock.as_ref().and_then(|lock| lock.object_lock_enabled());
        Ok(BucketSettings {
            versioned: versioning.status() == Some(&BucketVersioningStatus::Enabled),
            object_lock: enabled == Some(&ObjectLockEnabled::Enabled),
            default_retention: lock.as_ref().is_some_and(|lock| lock.rule().is_some()),
            policy,
        })
    }

    /// Whether a table can be put back to an earlier moment.
    ///
    /// # Errors
    /// The table's.
    pub async fn has_recovery(&self, table: &str) -> Result<bool, StoreError> {
        let asked = self.dynamodb.describe_continuous_backups().table_name(table).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at the backups of {table}"), error))?;
        let recovery = asked.continuous_backups_description.and_then(|all| all.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(aws_sdk_dynamodb::types::PointInTimeRecoveryStatus::Enabled))
    }

    /// What KMS says of a key.
    ///
    /// # Errors
    /// KMS's.
    pub async fn key_settings(&self, key: &str) -> Result<KeySettings, StoreError> {
        let asked = self.kms.describe_key().key_id(key).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at key {key}"), error))?;
        let missing = || StoreError::Corrupt(Failure::new(format!("KMS says nothing of key {key}")));
        let about = asked.key_metadata.ok_or_else(missing)?;
        Ok(KeySettings {
            arn: about.arn.unwrap_or_default(),
            state: about.key_state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            spec: about.key_spec.map(|spec| spec.as_str().to_owned()).unwrap_or_default(),
            usage: about.key_usage.map(|usage| usage.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// A function's state and variables.
    ///
    /// # Errors
    /// Lambda's.
    pub async fn function_settings(&self, name: &str) -> Result<FunctionSettings, StoreError> {
        let asked = self.lambda.get_function_configuration().function_name(name).send().await;
        let asked = asked.map_err(|error| store_error(format!("look at function {name}"), error))?;
        let variables = asked.environment.and_then(|environment| environment.variables).unwrap_or_default();
        Ok(FunctionSettings {
            state: asked.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            variables: variables.into_iter().collect(),
        })
    }

    /// How many objects lie below a prefix, counted up to a limit.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn count_objects(&self, bucket: &str, prefix: &str, limit: u64) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let asked = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(after.take());
            let page = asked.send().await;
            let page = page.map_err(|error| store_error(format!("list {prefix} in {bucket}"), error))?;
            count += page.contents().len() as u64;
            after = page.next_continuation_token;
            if count >= limit || after.is_none() {
                return Ok(count.min(limit));
            }
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// The bucket's, other than that it is not.
    pub async fn exists(&self, bucket: &str, key: &str) -> Result<bool, StoreError> {
        let looked = self.s3.head_object().bucket(bucket).key(key).send().await;
        match looked.map_err(|error| store_error(format!("look for {key} in {bucket}"), error)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The bronze objects that hold any line of a record: object id, key, lines.
    ///
    /// # Errors
    /// The table's.
    pub async fn bronze_of(&self, record_key: &str) -> Result<Vec<(String, String, u64)>, StoreError> {
        let what = format!("read the bronze rows of {record_key}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .dynamodb
                .query()
                .table_name(self.table("IndexTable")?)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", text(format!("INT#{record_key}")))
                .expression_attribute_values(":prefix", text(BRONZE_ROW))
                .set_exclusive_start_key(after.take())
                .send()
                .await
                .map_err(|error| store_error(&what, error))?;
            for item in page.items() {
                let object = read_text(item, "sk")?;
                let lines = items::read_number(item, "lines").unwrap_or_default();
                found.push((object.trim_start_matches(BRONZE_ROW).to_owned(), read_text(item, "key")?, lines));
            }
            after = page.last_evaluated_key.filter(|key| !key.is_empty());
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The log that a record is pinned to; `None` if it was never seen.
    ///
    /// # Errors
    /// The table's.
    pub async fn log_of(&self, record_key: &str) -> Result<Option<LogId>, StoreError> {
        let asked = self.dynamodb.get_item().table_name(self.table("IndexTable")?).consistent_read(true);
        let asked = asked.set_key(Some(items::key(&format!("INT#{record_key}"), "LOG"))).send().await;
        let asked = asked.map_err(|error| store_error(format!("read the log of {record_key}"), error))?;
        let Some(item) = asked.item else { return Ok(None) };
        let log = LogId::parse(&read_text(&item, "log")?);
        log.map(Some).map_err(|error| StoreError::Corrupt(Failure::caused_by("read a record's log", error)))
    }

    /// Holds or releases one version of an object. Doing so twice is doing so once.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn put_legal_hold(&self, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let put = self.s3.put_object_legal_hold().bucket(self.bucket("LedgerBucket")?).key(key).version_id(version_id);
        let put = put.legal_hold(ObjectLockLegalHold::builder().status(status).build()).send().await;
        put.map(|_| ()).map_err(|error| store_error(format!("set the legal hold of {key}"), error))
    }

    /// Whether a version is held.
    ///
    /// # Errors
    /// The bucket's.
    pub async fn is_held(&self, key: &str, version_id: &str) -> Result<bool, StoreError> {
        let head = self.s3.head_object().bucket(self.bucket("LedgerBucket")?).key(key).version_id(version_id);
        let head = head.send().await.map_err(|error| store_error(format!("look at {key}"), error))?;
        Ok(head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On))
    }

    /// Notes that a hold is meant, unless that is noted, and returns the row as it is: the first call's words hold.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_hold(&self, hold: &HoldRow) -> Result<HoldRow, StoreError> {
        let what = format!("note hold {}", hold.hold);
        let put = self
            .dynamodb
            .put_item()
            .table_name(self.table("ControlTable")?)
            .set_item(Some(hold_item(hold)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put.map_err(|error| store_error(&what, error)) {
            Ok(_) => Ok(hold.clone()),
            Err(StoreError::Conflict(_)) => {
                let missing = || StoreError::Conflict(Failure::new(format!("{what}: it was there, and is gone")));
                self.hold(&hold.hold, &hold.record_key).await?.ok_or_else(missing)
            }
            Err(error) => Err(error),
        }
    }

    /// A hold's row.
    ///
    /// # Errors
    /// The table's.
    pub async fn hold(&self, hold: &str, record_key: &str) -> Result<Option<HoldRow>, StoreError> {
        let asked = self.dynamodb.get_item().table_name(self.table("ControlTable")?).consistent_read(true);
        let asked = asked.set_key(Some(items::key(&hold_partition(hold), record_key))).send().await;
        let asked = asked.map_err(|error| store_error(format!("read hold {hold}"), error))?;
        asked.item.as_ref().map(read_hold).transpose()
    }

    /// Notes that a hold is lifted, once; returns when that was.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_lifted(&self, hold: &str, record_key: &str, now: &str) -> Result<String, StoreError> {
        let update = self
            .dynamodb
            .update_item()
            .table_name(self.table("ControlTable")?)
            .set_key(Some(items::key(&hold_partition(hold), record_key)))
            .update_expression("SET #lifted = if_not_exists(#lifted, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#lifted", "liftedAt")
            .expression_attribute_values(":now", text(now))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        let update = update.map_err(|error| store_error(format!("note that hold {hold} is lifted"), error))?;
        read_text(&update.attributes.unwrap_or_default(), "liftedAt")
    }

    /// All holds that were ever placed, lifted ones too.
    ///
    /// # Errors
    /// The table's.
    pub async fn holds(&self) -> Result<Vec<HoldRow>, StoreError> {
        let mut holds = Vec::new();
        let table = self.table("ControlTable")?;
        scan(&self.dynamodb, table, "list the holds", "begins_with(pk, :hold)", (":hold", HOLD), &mut |item| {
            holds.push(read_hold(item)?);
            Ok(())
        })
        .await?;
        holds.sort_by(|one, other| (&one.hold, &one.record_key).cmp(&(&other.hold, &other.record_key)));
        Ok(holds)
    }
}

fn hold_partition(hold: &str) -> String {
    format!("{HOLD}{hold}")
}

fn hold_item(hold: &HoldRow) -> Item {
    let mut item = items::key(&hold_partition(&hold.hold), &hold.record_key);
    let texts = [
        ("log", hold.log.as_str()),
        ("purpose", &hold.purpose),
        ("basis", &hold.basis),
        ("review", &hold.review),
        ("placedAt", &hold.placed_at),
    ];
    item.extend(texts.map(|(name, value)| (name.to_owned(), text(value))));
    item.insert("v".to_owned(), number(1));
    item
}

fn read_hold(item: &Item) -> Result<HoldRow, StoreError> {
    let name = read_text(item, "pk")?;
    let log = LogId::parse(&read_text(item, "log")?);
    Ok(HoldRow {
        hold: name.strip_prefix(HOLD).unwrap_or(&name).to_owned(),
        record_key: read_text(item, "sk")?,
        log: log.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a hold's log", error)))?,
        purpose: read_text(item, "purpose")?,
        basis: read_text(item, "basis")?,
        review: read_text(item, "review")?,
        placed_at: read_text(item, "placedAt")?,
        lifted_at: match item.get("liftedAt") {
            Some(AttributeValue::S(at)) => Some(at.clone()),
            _ => None,
        },
    })
}

const HOLD: &str = "HOLD#";
const BRONZE_ROW: &str = "BRZ#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_reads_back_as_it_was_noted() {
        let hold = HoldRow {
            hold: "matter-7".to_owned(),
            record_key: "acme/c-1".to_owned(),
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            purpose: "litigation".to_owned(),
            basis: "legal-claims".to_owned(),
            review: "2027-01-01".to_owned(),
            placed_at: "2026-03-02T14:00:00.000Z".to_owned(),
            lifted_at: None,
        };
        let mut item = hold_item(&hold);
        assert_eq!(read_hold(&item).unwrap(), hold);
        item.insert("liftedAt".to_owned(), text("2026-04-02T14:00:00.000Z"));
        assert!(read_hold(&item).unwrap().lifted_at.is_some());
        item.remove("review");
        assert!(matches!(read_hold(&item), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn only_this_machine_takes_any_credentials() {
        assert!(is_loopback("http://127.0.0.1:4566") && is_loopback("http://localhost"));
        assert!(!is_loopback("https://localhost.example.com") && !is_loopback("https://s3.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn a_stack_file_without_an_id_is_named_by_its_control_table() {
        let json = r#"{"region":"r","buckets":{},"tables":{"ControlTable":"ledgerline-local-control"},"later":1}"#;
        let mut deployment = Deployment::read(json).unwrap();
        assert_eq!(deployment.id().unwrap(), "local");
        deployment.deployment_id = Some("other".to_owned());
        assert_eq!(deployment.id().unwrap(), "other");
    }

    #[test]
    fn totals_balance_when_every_event_has_one_end() {
        let totals = Totals { input: 10, filtered: 2, duplicate: 1, planned: 7, committed: 5, ..Totals::default() };
        assert!(totals.balance());
        assert_eq!(totals.in_flight(), 2);
        assert!(!Totals { input: 11, ..totals }.balance());
        assert!(!Totals { committed: 8, ..totals }.balance());
    }
}
