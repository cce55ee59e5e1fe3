//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_aws::table::DynamoTable;
use ledgerline_aws::wrapping::KmsWrapping;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::random::os_random;
use ledgerline_rtbf::{Config, Ports, Stores, handle};
use ledgerline_store::bucket::Bucket;
use ledgerline_store::queue::Queue;
use ledgerline_store::table::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = ledgerline_aws::config::load();
    let (s3, dynamo) = (ledgerline_aws::config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamo.clone(), name)) };
    let bucket = |name: &str| -> Arc<dyn Bucket> { Arc::new(S3Bucket::new(s3.clone(), name)) };
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let queue = |url: &str| -> Arc<dyn Queue> { Arc::new(SqsQueue::new(sqs.clone(), url)) };
    let ports = Ports {
        control: table(&config.control_table),
        index: table(&config.index_table),
        keys: table(&config.keys_table),
        bronze: bucket(&config.settings.bronze_bucket),
        lake: bucket(&config.lake_bucket),
        staged: bucket(&config.staged_bucket),
        ledger: bucket(&config.ledger_bucket),
        erase_queue: queue(&config.erase_queue_url),
        pointers: queue(&config.ledger_queue_url),
        wrapping: Arc::new(KmsWrapping::new(aws_sdk_kms::Client::new(&sdk), &config.data_key_id)),
    };
    let stores = Stores::new(ports, &config.settings.deployment, Box::new(os_random));
    let (stores, settings) = (&stores, &config.settings);
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(stores, settings, &SystemClock, deadline_ms, event.payload).await)
    }))
    .await
}
