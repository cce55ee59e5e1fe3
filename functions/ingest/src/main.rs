//! The `ingest` function: configuration, telemetry, and the runtime around [`ledgerline_ingest::handle`].

use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledgerline_ingest::{Config, handle};
use ledgerline_lambda::clock::{Clock as _, SystemClock};
use ledgerline_lambda::{config::Env, telemetry};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut env = Env::process();
    let config = &Config::from_env(&mut env);
    env.finish()?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let response = handle(config, SystemClock.now_ms(), event.payload.get().as_bytes())?;
        let counts = &response.counts;
        for (reason, lines) in &counts.quarantined {
            telemetry::quarantined(reason.code(), *lines);
        }
        if counts.without_id > 0 {
            // Nothing can be answered of them: Firehose keeps what it gets no answer for under its error prefix.
            tracing::error!(records = counts.without_id, "without an id");
        }
        tracing::info!(
            records = counts.records,
            events = counts.events,
            quarantined = counts.quarantined.values().sum::<u64>(),
            unreadable_records = counts.unreadable_records,
            put_off = counts.put_off,
            outgrown = counts.outgrown,
            panicked = counts.panicked,
            request_bytes = event.payload.get().len(),
            response_bytes = response.body.len(),
            "answered"
        );
        Ok::<_, Error>(RawValue::from_string(response.body)?)
    }))
    .await
}
