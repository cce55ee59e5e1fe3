//! The capture Lambda function: clients and ports, then calls.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::firehose::DeliveryStream;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_aws::table::DynamoTable;
use ledgerline_aws::wrapping::KmsWrapping;
use ledgerline_capture::{Config, Function, Ports, Stores, handle};
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::random::os_random;
use ledgerline_store::table::Table;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let aws = ledgerline_aws::config::load();
    let dynamo = aws_sdk_dynamodb::Client::new(&aws);
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamo.clone(), name)) };
    let ports = Ports {
        control: table(&config.control_table),
        index: table(&config.index_table),
        keys: table(&config.keys_table),
        bronze: Arc::new(S3Bucket::new(ledgerline_aws::config::s3(&aws), &config.bronze_bucket)),
        // The caller waits, and tries again by itself.
        stream: Arc::new(DeliveryStream::impatient(aws_sdk_firehose::Client::new(&aws), &config.stream_name)),
        dead_letters: Arc::new(SqsQueue::new(aws_sdk_sqs::Client::new(&aws), &config.dead_letter_queue_url)),
        wrapping: Arc::new(KmsWrapping::new(aws_sdk_kms::Client::new(&aws), &config.data_key_id)),
    };
    let stores = Stores::new(ports, &config.settings.deployment, Box::new(os_random));
    let function = Function::new(stores, config.clients, config.settings);
    let function = &function;
    // Raw, since an error of reading a typed event would fail the invocation and quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(handle(function, &SystemClock, event.payload.get()).await)
    }))
    .await
}
