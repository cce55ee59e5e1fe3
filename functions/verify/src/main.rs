//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::config;
use ledgerline_aws::control::ControlTable;
use ledgerline_aws::evidence::{StoredEvidence, Tables};
use ledgerline_aws::signing::KmsSigner;
use ledgerline_aws::watch::WatchTable;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;
use ledgerline_verify::{Config, Ports, Request, handle};
use tokio::runtime::Handle;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let tables = Tables {
        client: dynamodb.clone(),
        control: settings.control_table.clone(),
        index: settings.index_table.clone(),
    };
    let evidence = StoredEvidence::new(Handle::current(), s3, &settings.ledger_bucket, Some(tables));
    let ports = Ports {
        entries: Arc::new(evidence.clone().without_locks().without_postings()),
        everything: Arc::new(evidence),
        logs: ControlTable::new(dynamodb.clone(), &settings.control_table),
        watch: WatchTable::new(dynamodb, &settings.control_table),
        signer: KmsSigner::new(&sdk, &settings.signing_key_id),
        first_signer: KmsSigner::new(&sdk, &settings.first_signing_key_id),
    };
    run(service_fn(async |event: LambdaEvent<Request>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        handle(&ports, &settings.rules, &SystemClock, deadline_ms, event.payload).await.map_err(Error::from)
    }))
    .await
}
