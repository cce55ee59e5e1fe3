//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_audit_write::{Config, Ports, Stores, handle};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::config;
use ledgerline_aws::signer::KmsSigner;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_aws::table::DynamoTable;
use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::table::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamodb.clone(), name)) };
    let bucket = |name: &str| -> Arc<dyn Bucket> { Arc::new(S3Bucket::new(s3.clone(), name)) };
    let stores = Stores::new(Ports {
        control: table(&settings.control_table),
        index: table(&settings.index_table),
        ledger: bucket(&settings.ledger_bucket),
        staged: bucket(&settings.staged_bucket),
        queue: Arc::new(SqsQueue::new(aws_sdk_sqs::Client::new(&sdk), &settings.queue_url)),
        signer: Arc::new(KmsSigner::new(&sdk, &settings.signing_key)),
    });
    let memory = Memory::default();
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(&stores, &settings.append, &memory, &SystemClock, deadline_ms, event.payload).await)
    }))
    .await
}
