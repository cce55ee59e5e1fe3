//! A running stack, as `stack.json` describes it: names, clients, and the one way to wait until all is processed.
//!
//! The demo and the end-to-end tests read nothing else about the stack, so that they may be pointed at another one by
//! `LEDGERLINE_STACK`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use aws_sdk_sqs::types::QueueAttributeName;
use ledgerline_aws::table::DynamoTable;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::object_row::{self, ObjectRows, Progress, Totals};
use ledgerline_store::table::{Key, Table};
use serde::Deserialize;
use xtask::fault::Fault;
use xtask::{emulator, paths};

/// Queues through which work flows, upstream first.
const WORK_QUEUES: [&str; 3] = ["ErrorsQueue", "BronzeQueue", "LedgerQueue"];
/// Queues in which nothing should lie.
const DEAD_LETTER_QUEUES: [&str; 4] =
    ["BronzeDeadLetterQueue", "LedgerDeadLetterQueue", "ErrorsDeadLetterQueue", "EraseDeadLetterQueue"];
/// The emulator's own count of records not delivered yet (see infra/local/emulator.py).
const PENDING_TAG: &str = "local:pending";
const POLL: Duration = Duration::from_millis(100);

/// Logical names of the template to physical names of a deployment; queues by URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// Where the AWS APIs are.
    pub endpoint: String,
    /// The region to sign for.
    pub region: String,
    /// The emulator's process.
    pub pid: u32,
    /// Base of the REST API; a path such as `/api/v1/…` follows.
    pub api_url: String,
    /// Value of the `x-api-key` header.
    pub api_key: String,
    /// Values of that header for others, by the part that somebody plays: `analyst`.
    pub api_keys: BTreeMap<String, String>,
    /// Ready bearer tokens, by the part that somebody plays: `reader`, `officer` and so on, see infra/local/issuer.py.
    pub tokens: BTreeMap<String, String>,
    /// Who gave them.
    pub issuer: Issuer,
    /// By what capture knows its clients.
    pub capture: Capture,
    /// Delivery streams.
    pub streams: BTreeMap<String, String>,
    /// Buckets.
    pub buckets: BTreeMap<String, String>,
    /// Tables.
    pub tables: BTreeMap<String, String>,
    /// Queues, by URL.
    pub queues: BTreeMap<String, String>,
    /// Functions.
    pub functions: BTreeMap<String, String>,
}

/// An issuer of tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// What its tokens say in `iss`.
    pub name: String,
    /// What they say in `aud`.
    pub audience: String,
    /// The id of its key.
    pub key_id: String,
    /// Where its Ed25519 seed is, in hex: a test makes tokens of it that do not hold.
    pub key_file: PathBuf,
}

/// What capture's clients show themselves by.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capture {
    /// A token, for a header.
    pub token: String,
    /// A token, for the path.
    pub path_token: String,
    /// A client that signs.
    pub signer: Signer,
}

/// A capture client that signs.
#[derive(Clone, Deserialize)]
pub struct Signer {
    /// Its token, for a header.
    pub token: String,
    /// What it signs by.
    pub secret: String,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture(***)")
    }
}

/// The SDK's clients of a stack.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The delivery stream.
    pub firehose: aws_sdk_firehose::Client,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
}

impl Stack {
    /// The stack of `LEDGERLINE_STACK`, or the local one.
    ///
    /// # Errors
    /// There is none, or it does not answer.
    pub fn load() -> Result<Self, Fault> {
        Self::load_from(&paths::stack_json())
    }

    /// The stack that a file describes.
    ///
    /// # Errors
    /// As [`Stack::load`].
    pub fn load_from(path: &Path) -> Result<Self, Fault> {
        let remedy = "start the stack: cargo xtask up";
        let text = paths::read(path).ok_or_else(|| Fault::new(format!("there is no {}", path.display()), remedy))?;
        let stack: Self = serde_json::from_str(&text).map_err(|error| {
            Fault::caused_by(format!("{} is damaged", path.display()), error, "run: cargo xtask down; cargo xtask up")
        })?;
        if emulator::answers(&stack.endpoint) {
            Ok(stack)
        } else {
            Err(Fault::new(format!("the stack at {} does not answer: its emulator has ended", stack.endpoint), remedy))
        }
    }

    /// Clients that sign with the emulator's credentials.
    pub async fn clients(&self) -> Clients {
        let config = self.sdk_config().await;
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            firehose: aws_sdk_firehose::Client::new(&config),
            s3: ledgerline_aws::config::s3(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }

    /// What every client of the stack is made of, for services that [`Clients`] does not name. Region, endpoint and
    /// credentials are the stack's; nothing of the caller's own AWS settings can lead these clients to a real account.
    pub async fn sdk_config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(Credentials::new("test", "test", None, None, "stack.json"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await
    }

    /// The bearer token of a part.
    ///
    /// # Errors
    /// The stack has none of that name.
    pub fn token(&self, part: &str) -> Result<&str, Fault> {
        named(&self.tokens, part)
    }

    /// The analysts' API key.
    ///
    /// # Errors
    /// The stack has none.
    pub fn analyst_key(&self) -> Result<&str, Fault> {
        named(&self.api_keys, "analyst")
    }

    /// Name of a delivery stream.
    ///
    /// # Errors
    /// The stack has none of that logical name.
    pub fn stream(&self, logical: &str) -> Result<&str, Fault> {
        named(&self.streams, logical)
    }

    /// Name of a bucket.
    ///
    /// # Errors
    /// As [`Stack::stream`].
    pub fn bucket(&self, logical: &str) -> Result<&str, Fault> {
        named(&self.buckets, logical)
    }

    /// Name of a table.
    ///
    /// # Errors
    /// As [`Stack::stream`].
    pub fn table(&self, logical: &str) -> Result<&str, Fault> {
        named(&self.tables, logical)
    }

    /// URL of a queue.
    ///
    /// # Errors
    /// As [`Stack::stream`].
    pub fn queue(&self, logical: &str) -> Result<&str, Fault> {
        named(&self.queues, logical)
    }

    /// Waits until the stream delivered, the queues are empty and nothing is in flight, and returns the totals.
    ///
    /// # Errors
    /// Patience ended, or a dead-letter queue holds a message: both say where what lies.
    pub async fn wait_until_drained(&self, patience: Duration) -> Result<Totals, Fault> {
        let clients = self.clients().await;
        let deadline = tokio::time::Instant::now() + patience;
        let mut was_quiet = false;
        loop {
            let busy = self.busy(&clients).await?;
            let totals = if busy.is_none() { Some(self.totals_with(&clients).await?) } else { None };
            // Work moves downstream while one looks, and redrive takes it back upstream: quiet twice is quiet.
            match totals {
                Some(totals) if totals.in_flight() == 0 && was_quiet => return Ok(totals),
                Some(totals) => was_quiet = totals.in_flight() == 0,
                None => was_quiet = false,
            }
            if tokio::time::Instant::now() > deadline {
                let wait = busy.or_else(|| totals.map(|totals| format!("{} events are in flight", totals.in_flight())));
                return Err(Fault::new(
                    format!("not all is processed after {} s: {}", patience.as_secs(), wait.unwrap_or_default()),
                    format!("look for errors in {}", emulator::log().display()),
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The sum of the bronze objects' rows as they are now.
    ///
    /// # Errors
    /// The control table cannot be read.
    pub async fn totals(&self) -> Result<Totals, Fault> {
        self.totals_with(&self.clients().await).await
    }

    async fn totals_with(&self, clients: &Clients) -> Result<Totals, Fault> {
        let mut totals = Totals::default();
        self.object_rows(clients).await?.iter().for_each(|(_, row)| totals.add(row));
        Ok(totals)
    }

    /// The rows of all bronze objects. The ledger's own acts have rows, too, and no source event behind them.
    ///
    /// # Errors
    /// The control table cannot be read.
    pub async fn object_rows(&self, clients: &Clients) -> Result<Vec<(Key, Progress)>, Fault> {
        let rows = ObjectRows::new(self.rows_of(clients, "ControlTable")?);
        let is_bronze = |key: &Key| matches!(object_row::parse_key(key), Some((PlanOf::Bronze, _)));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = rows.page(after).await.map_err(unread)?;
            found.extend(page.into_iter().filter(|(key, _)| is_bronze(key)));
            after = next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// A table, as the families take it.
    ///
    /// # Errors
    /// As [`Stack::stream`].
    pub fn rows_of(&self, clients: &Clients, logical: &str) -> Result<Arc<dyn Table>, Fault> {
        Ok(Arc::new(DynamoTable::new(clients.dynamodb.clone(), self.table(logical)?)))
    }

    /// What still has work, upstream first; a dead letter is a failure at once.
    async fn busy(&self, clients: &Clients) -> Result<Option<String>, Fault> {
        for queue in DEAD_LETTER_QUEUES {
            let dead = self.messages(clients, queue).await?;
            if dead > 0 {
                return Err(Fault::new(
                    format!("{dead} messages lie in {queue}: they failed again and again"),
                    format!("the functions say why in {}", emulator::log().display()),
                ));
            }
        }
        let stream = self.stream("EventStream")?;
        let tags = clients.firehose.list_tags_for_delivery_stream().delivery_stream_name(stream).send().await;
        let tags = tags.map_err(|error| self.unreachable(format!("cannot ask for {stream}"), error.into_source()))?;
        let pending = tags.tags().iter().find(|tag| tag.key() == PENDING_TAG).and_then(|tag| tag.value());
        if let Some(pending) = pending.filter(|value| *value != "0") {
            return Ok(Some(format!("{pending} records are not delivered to bronze")));
        }
        for queue in WORK_QUEUES {
            let waiting = self.messages(clients, queue).await?;
            if waiting > 0 {
                return Ok(Some(format!("{waiting} messages are in {queue}")));
            }
        }
        Ok(None)
    }

    /// Messages of a queue: waiting, delayed or being worked on.
    ///
    /// # Errors
    /// The queue cannot be asked.
    pub async fn messages(&self, clients: &Clients, logical: &str) -> Result<u64, Fault> {
        let kinds = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let ask =
            clients.sqs.get_queue_attributes().queue_url(self.queue(logical)?).set_attribute_names(Some(kinds.into()));
        let answer = ask
            .send()
            .await
            .map_err(|error| self.unreachable(format!("cannot ask for {logical}"), error.into_source()))?;
        let attributes = answer.attributes().into_iter().flatten();
        Ok(attributes.filter_map(|(_, value)| value.parse::<u64>().ok()).sum())
    }

    /// The fault for a call of the stack that failed; `beneath` is what the SDK says.
    pub fn unreachable<E>(&self, what: String, beneath: Result<Box<dyn Error + Send + Sync>, E>) -> Fault {
        match beneath {
            Ok(beneath) => Fault::caused_by(what, beneath, IS_IT_UP),
            Err(_) => Fault::new(what, IS_IT_UP),
        }
    }
}

/// The fault for a store's call that failed.
pub fn unread(error: StoreError) -> Fault {
    Fault::caused_by("the stack cannot be read", error, IS_IT_UP)
}

const IS_IT_UP: &str = "see whether the stack is up: cargo xtask up";

/// Runs a command's future on a runtime of its own.
///
/// # Errors
/// The runtime cannot start.
pub fn block<T>(future: impl Future<Output = T>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Fault::caused_by("cannot start", error, "free some memory or file handles"))?;
    Ok(runtime.block_on(future))
}

fn named<'a>(names: &'a BTreeMap<String, String>, logical: &str) -> Result<&'a str, Fault> {
    names.get(logical).map(String::as_str).ok_or_else(|| {
        Fault::new(format!("stack.json names no {logical}"), "deploy the current template: cargo xtask up")
    })
}
