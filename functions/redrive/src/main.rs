//! The `redrive` function: configuration, clients and ports, then the runtime.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::config;
use ledgerline_aws::stream::{DeliveryStream, ErrorObjects};
use ledgerline_lambda::clock::{Clock as _, SystemClock};
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;
use ledgerline_redrive::ports::Ports;
use ledgerline_redrive::{Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let ports = &Ports {
        errors: ErrorObjects::new(config::s3(&sdk)),
        stream: DeliveryStream::new(aws_sdk_firehose::Client::new(&sdk), settings.stream_name),
    };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        handle(ports, SystemClock.now_ms(), event.payload).await.map_err(Error::from)
    }))
    .await
}
