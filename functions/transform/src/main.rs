//! Entry point: configuration, clients, keys and ports, then the runtime.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use ledgerline_aws::data_keys::DataKeys;
use ledgerline_aws::index::IndexTable;
use ledgerline_aws::keys::KeysTable;
use ledgerline_aws::obj_rows::ObjectRowTable;
use ledgerline_aws::objects::Bucket;
use ledgerline_aws::own::OwnTable;
use ledgerline_aws::queue::PointerQueue;
use ledgerline_custody::own::OwnLists;
use ledgerline_lambda::clock::SystemClock;
use ledgerline_lambda::config::Env;
use ledgerline_transform::config::{Config, open_keys, os_random};
use ledgerline_transform::handle;
use ledgerline_transform::ports::Wired;

/// An event is many small allocations that live as long as its object: with this one the whole takes a seventh less time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ledgerline_lambda::telemetry::init();
    let config = Config::from_env(Env::process())?;
    let sdk = ledgerline_aws::config::load();
    let (s3, dynamo) = (ledgerline_aws::config::s3(&sdk), aws_sdk_dynamodb::Client::new(&sdk));
    let (control, kms) = (&config.control_table, aws_sdk_kms::Client::new(&sdk));
    let data_keys = DataKeys::new(dynamo.clone(), kms, control, &config.data_key_id, &config.deployment_id);
    let settings = config.settings(open_keys(&data_keys, &SystemClock).await?);
    let ports = Wired {
        bronze: Bucket::new(s3.clone(), &config.bronze_bucket),
        lake: Bucket::new(s3.clone(), &config.lake_bucket),
        staged: Bucket::new(s3, &config.staged_bucket),
        rows: ObjectRowTable::new(dynamo.clone(), control),
        own: OwnLists::new(OwnTable::new(dynamo.clone(), control)),
        index: IndexTable::new(dynamo.clone(), &config.index_table),
        keys: KeysTable::new(dynamo, &config.keys_table),
        queue: PointerQueue::new(aws_sdk_sqs::Client::new(&sdk), &config.ledger_queue_url),
        random: Box::new(os_random),
    };
    let (ports, settings) = (&ports, &settings);
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok::<_, Error>(handle(ports, settings, &SystemClock, deadline_ms, event.payload).await)
    }))
    .await
}
