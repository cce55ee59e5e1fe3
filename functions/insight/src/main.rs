//! The insight Lambda function: clients and ports, then requests.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_insight::{Config, Ports, Stores, handle};
use ledgerline_lambda::config::Env;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let s3 = ledgerline_aws::config::s3(&ledgerline_aws::config::load());
    let stores = Stores::new(Ports { lake: Arc::new(S3Bucket::new(s3, &config.lake_bucket)) });
    let stores = &stores;
    // Raw, since an error of reading a typed event would fail the invocation and quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(handle(stores, event.payload.get()).await)
    }))
    .await
}
