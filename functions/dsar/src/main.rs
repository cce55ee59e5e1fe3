//! The dsar Lambda function: clients and ports, then requests.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_aws::table::DynamoTable;
use ledgerline_aws::wrapping::KmsWrapping;
use ledgerline_dsar::{Config, Dsar, Ports, Stores, handle};
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::random::os_random;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::table::Table;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let aws = ledgerline_aws::config::load();
    let (dynamo, kms) = (aws_sdk_dynamodb::Client::new(&aws), aws_sdk_kms::Client::new(&aws));
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamo.clone(), name)) };
    let s3 = ledgerline_aws::config::s3(&aws);
    let bucket = |name: &str| -> Arc<dyn Bucket> { Arc::new(S3Bucket::new(s3.clone(), name)) };
    let ports = Ports {
        control: table(&config.control_table),
        index: table(&config.index_table),
        keys: table(&config.keys_table),
        ledger: bucket(&config.ledger_bucket),
        staged: bucket(&config.staged_bucket),
        pointers: Arc::new(SqsQueue::new(aws_sdk_sqs::Client::new(&aws), &config.ledger_queue_url)),
        wrapping: Arc::new(KmsWrapping::new(kms, &config.data_key_id)),
    };
    let stores = Stores::new(ports, &config.deployment, Box::new(os_random));
    let dsar = Dsar::new(stores, config);
    let dsar = &dsar;
    // Raw, since an error of reading a typed event would fail the invocation and quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(handle(dsar, &SystemClock, event.payload.get()).await)
    }))
    .await
}
