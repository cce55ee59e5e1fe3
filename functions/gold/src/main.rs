//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::athena::Workgroup;
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::config;
use ledgerline_aws::table::DynamoTable;
use ledgerline_gold::config::Config;
use ledgerline_gold::stores::{Ports, Stores};
use ledgerline_gold::{Request, handle};
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = config::load();
    let athena = aws_sdk_athena::Client::new(&sdk);
    let stores = Stores::new(Ports {
        control: Arc::new(DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), &config.control_table)),
        lake: Arc::new(S3Bucket::new(config::s3(&sdk), &config.lake_bucket)),
        athena: Arc::new(Workgroup::new(athena, &config.workgroup, &config.database)),
    });
    let (stores, settings) = (&stores, &config.settings);
    run(service_fn(async |event: LambdaEvent<Request>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(stores, settings, &SystemClock, deadline_ms, &event.payload).await?)
    }))
    .await
}
