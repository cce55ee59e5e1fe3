//! Entry point: configuration, clients and ports, then the runtime.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_audit_write::{Config, Wired, handle};
use ledgerline_aws::chunks::StagedChunks;
use ledgerline_aws::config;
use ledgerline_aws::control::ControlTable;
use ledgerline_aws::ledger::LedgerBucket;
use ledgerline_aws::objects::Bucket;
use ledgerline_aws::postings::PostingRows;
use ledgerline_aws::release::FifoQueue;
use ledgerline_aws::signing::KmsSigner;
use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_lambda::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let settings = Config::from_env(Env::process())?;
    let sdk = config::load();
    let (s3, dynamodb) = (config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let ports = Wired {
        control: ControlTable::new(dynamodb.clone(), &settings.control_table),
        index: PostingRows::new(dynamodb, &settings.index_table),
        ledger: LedgerBucket::new(s3.clone(), &settings.ledger_bucket),
        signer: KmsSigner::new(&sdk, &settings.signing_key),
        plans: StagedChunks::new(s3.clone(), &settings.staged_bucket),
        poison: Bucket::new(s3, &settings.staged_bucket),
        queue: FifoQueue::new(aws_sdk_sqs::Client::new(&sdk), &settings.queue_url),
    };
    let memory = Memory::default();
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(&ports, &settings.append, &memory, &SystemClock, deadline_ms, event.payload).await)
    }))
    .await
}
