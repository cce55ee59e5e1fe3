//! The dsar Lambda function: clients and ports, then requests.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::control::ControlTable;
use ledgerline_aws::data_keys::DataKeys;
use ledgerline_aws::ledger::LedgerBucket;
use ledgerline_aws::own::OwnTable;
use ledgerline_aws::reads::{IndexReader, KeysReader, PseudonymKeys};
use ledgerline_custody::own::OwnLists;
use ledgerline_dsar::{Config, Dsar, Stores, handle};
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let aws = ledgerline_aws::config::load();
    let dynamo = aws_sdk_dynamodb::Client::new(&aws);
    let (control, kms) = (config.control_table.clone(), aws_sdk_kms::Client::new(&aws));
    let keys = DataKeys::new(dynamo.clone(), kms, &control, &config.data_key_id, &config.deployment);
    let stores = Stores {
        keys: PseudonymKeys(keys),
        subjects: KeysReader::new(dynamo.clone(), &config.keys_table),
        postings: IndexReader::new(dynamo.clone(), &config.index_table),
        own: OwnLists::new(OwnTable::new(dynamo.clone(), &control)),
        heads: ControlTable::new(dynamo, control),
        ledger: LedgerBucket::new(ledgerline_aws::config::s3(&aws), &config.ledger_bucket),
    };
    let dsar = Dsar::new(stores, config);
    let dsar = &dsar;
    // Raw, since an error of reading a typed event would fail the invocation and quote the caller's headers.
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<_, Error>(handle(dsar, &SystemClock, event.payload.get()).await)
    }))
    .await
}
