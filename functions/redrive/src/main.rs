//! The `redrive` function: configuration, clients and stores, then the runtime.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Buckets;
use ledgerline_aws::config;
use ledgerline_aws::firehose::DeliveryStream;
use ledgerline_aws::sqs::SqsQueue;
use ledgerline_lambda::clock::{Clock as _, SystemClock};
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;
use ledgerline_redrive::{Config, Stores, handle};
use ledgerline_store::dead_letter::DeadLetters;
use ledgerline_store::error_object::ErrorObjects;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let stores = &Stores {
        errors: ErrorObjects::new(Arc::new(S3Buckets::new(config::s3(&sdk)))),
        stream: Arc::new(DeliveryStream::new(aws_sdk_firehose::Client::new(&sdk), settings.stream_name)),
        dead_letters: DeadLetters::new(Arc::new(SqsQueue::new(
            aws_sdk_sqs::Client::new(&sdk),
            settings.dead_letter_queue_url,
        ))),
    };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        handle(stores, SystemClock.now_ms(), event.payload).await.map_err(Error::from)
    }))
    .await
}
