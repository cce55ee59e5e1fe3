//! Entry point: configuration, clients and ports, then the runtime.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::config;
use ledgerline_aws::evidence::StoredEvidence;
use ledgerline_aws::signer::KmsSigner;
use ledgerline_aws::table::DynamoTable;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::head::Heads;
use ledgerline_store::posting::Postings;
use ledgerline_store::table::Table;
use ledgerline_store::watch::Watch;
use ledgerline_verify::{Config, Request, Stores, handle};
use tokio::runtime::Handle;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let table = |name: &str| -> Arc<dyn Table> { Arc::new(DynamoTable::new(dynamodb.clone(), name)) };
    let (control, index) = (table(&settings.control_table), table(&settings.index_table));
    let bucket: Arc<dyn Bucket> = Arc::new(S3Bucket::new(s3, &settings.ledger_bucket));
    let heads = Heads::new(Arc::clone(&control));
    let evidence = StoredEvidence::new(Handle::current(), bucket).with_tables(heads.clone(), Postings::new(index));
    let stores = Stores {
        entries: Arc::new(evidence.clone().without_locks().without_postings()),
        everything: Arc::new(evidence),
        heads,
        watch: Watch::new(control),
        signer: Arc::new(KmsSigner::new(&sdk, &settings.signing_key_id)),
        first_signer: Arc::new(KmsSigner::new(&sdk, &settings.first_signing_key_id)),
    };
    run(service_fn(async |event: LambdaEvent<Request>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        handle(&stores, &settings.rules, &SystemClock, deadline_ms, event.payload).await.map_err(Error::from)
    }))
    .await
}
