//! Entry point: configuration, clients and ports, then the runtime.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::config;
use ledgerline_aws::control::ControlTable;
use ledgerline_aws::ledger::LedgerBucket;
use ledgerline_aws::objects::Bucket;
use ledgerline_aws::postings::PostingRows;
use ledgerline_aws::signing::KmsSigner;
use ledgerline_aws::sweep::{
    BronzeLister, EvidenceKeeper, NotificationQueue, StateBucket, SweptIndex, SweptPointers, SweptRows,
};
use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_sweep::config::{Config, os_random};
use ledgerline_sweep::handle;
use ledgerline_sweep::ports::Wired;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let ports = Wired {
        control: ControlTable::new(dynamodb.clone(), &config.control_table),
        rows: SweptRows::new(dynamodb.clone(), &config.control_table),
        ledger: LedgerBucket::new(s3.clone(), &config.ledger_bucket),
        evidence: EvidenceKeeper::new(s3.clone(), &config.ledger_bucket),
        index: PostingRows::new(dynamodb.clone(), &config.index_table),
        entries: SweptIndex::new(dynamodb, &config.index_table),
        plans: Bucket::new(s3.clone(), &config.staged_bucket),
        states: StateBucket::new(s3.clone(), &config.staged_bucket),
        bronze: BronzeLister::new(s3, &config.settings.bronze_bucket),
        notices: NotificationQueue::new(sqs.clone(), &config.bronze_queue_url),
        pointers: SweptPointers::new(sqs, &config.ledger_queue_url),
        signer: KmsSigner::new(&sdk, &config.signing_key_id),
        random: Box::new(os_random),
    };
    let (ports, settings, memory) = (&ports, &config.settings, &Memory::default());
    run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(ports, settings, memory, &SystemClock, deadline_ms).await)
    }))
    .await
}
