//! The `authorizer` function: configuration, the issuer's keys, then questions.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_authorizer::{Authorizer, Config, handle};
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let authorizer = &Authorizer::new(Config::from_env(Env::process())?)?;
    // Raw, since an error of reading a typed event would quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        handle(authorizer, &SystemClock, event.payload.get()).await
    }))
    .await
}
