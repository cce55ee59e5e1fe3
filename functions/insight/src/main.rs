//! The insight Lambda function: clients and ports, then requests.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::config;
use ledgerline_aws::table::DynamoTable;
use ledgerline_insight::{Config, Names, Ports, Stores, handle};
use ledgerline_lambda::config::Env;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let ports = Ports {
        control: Arc::new(DynamoTable::new(dynamodb.clone(), &config.control_table)),
        index: Arc::new(DynamoTable::new(dynamodb, &config.index_table)),
        ledger: Arc::new(S3Bucket::new(s3.clone(), &config.ledger_bucket)),
        bronze: Arc::new(S3Bucket::new(s3.clone(), &config.bronze_bucket)),
        lake: Arc::new(S3Bucket::new(s3, &config.lake_bucket)),
    };
    let names = Names { ledger: config.ledger_bucket, bronze: config.bronze_bucket, lake: config.lake_bucket };
    let stores = Stores::new(ports, names, config.zone);
    let stores = &stores;
    // Raw, since an error of reading a typed event would fail the invocation and quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(handle(stores, event.payload.get()).await)
    }))
    .await
}
