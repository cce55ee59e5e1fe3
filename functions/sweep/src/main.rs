//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::config;
use ledgerline_aws::signer::KmsSigner;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_aws::table::DynamoTable;
use ledgerline_aws::wrapping::KmsWrapping;
use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::random::os_random;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::queue::Queue;
use ledgerline_store::table::Table;
use ledgerline_sweep::config::Config;
use ledgerline_sweep::handle;
use ledgerline_sweep::stores::{Ports, Stores};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamodb.clone(), name)) };
    let bucket = |name: &str| -> Arc<dyn Bucket> { Arc::new(S3Bucket::new(s3.clone(), name)) };
    let queue = |url: &str| -> Arc<dyn Queue> { Arc::new(SqsQueue::new(sqs.clone(), url)) };
    let ports = Ports {
        control: table(&config.control_table),
        index: table(&config.index_table),
        ledger: bucket(&config.ledger_bucket),
        bronze: bucket(&config.settings.bronze_bucket),
        staged: bucket(&config.staged_bucket),
        notices: queue(&config.bronze_queue_url),
        pointers: queue(&config.ledger_queue_url),
        erase_queue: queue(&config.erase_queue_url),
        signer: Arc::new(KmsSigner::new(&sdk, &config.signing_key_id)),
        wrapping: Arc::new(KmsWrapping::new(aws_sdk_kms::Client::new(&sdk), &config.data_key_id)),
    };
    let stores = Stores::new(ports, Box::new(os_random));
    let (stores, settings, memory) = (&stores, &config.settings, &Memory::default());
    run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(stores, settings, memory, &SystemClock, deadline_ms).await)
    }))
    .await
}
