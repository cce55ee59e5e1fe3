//! The SDK configuration that every client shares, and the one place where an SDK error becomes a [`StoreError`].
//!
//! Built once per process, in `main`. TLS is rustls on ring: smaller than the default and the same everywhere.

use std::error::Error;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{SharedAsyncSleep, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ledgerline_ledger::store::{Failure, StoreError};

/// Attempts that the SDK makes on its own (full jitter between them) before a caller sees the error.
const SDK_ATTEMPTS: u32 = 4;
/// The SDK's own default.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);
/// One attempt's share of a function's time-out: long enough for a 128 MB object's first byte, short enough for several attempts.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// Region, credentials and endpoint from the variables that Lambda sets, read once, in `main`.
///
/// The SDK's default chain would also look into profile files, metadata services and single sign-on, none of which a
/// function has: leaving it out makes each binary a tenth smaller.
pub fn load() -> SdkConfig {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .http_client(http)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        );
    config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    config.build()
}

#[expect(clippy::disallowed_methods, reason = "the SDK's own variables, read once, when main builds its clients")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An S3 client. An endpoint of one's own (the local stack) has no bucket subdomains, so the path names the bucket.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let path_style = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build())
}

/// Maps an SDK error to the closed enum. `what` names the attempt with ids only.
///
/// Anything whose outcome is not certain (a time-out, a dropped connection, HTTP 5xx other than 503) is `Unknown`: the write
/// may have happened.
pub fn store_error<E>(what: impl Into<String>, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    let failure = Failure::caused_by(what, error);
    match (code.as_str(), status) {
        ("NoSuchKey" | "NoSuchVersion" | "NotFound" | "ResourceNotFoundException" | "NoSuchBucket", _) => {
            StoreError::NotFound(failure)
        }
        (
            "ConditionalCheckFailedException"
            | "TransactionConflictException"
            | "PreconditionFailed"
            | "ConditionalRequestConflict",
            _,
        ) => StoreError::Conflict(failure),
        (
            "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestThrottled"
            | "SlowDown"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "LimitExceededException"
            | "TooManyRequestsException",
            _,
        ) => StoreError::Throttled(failure),
        // Nothing that is there or not there by itself: a name or a key in the configuration is wrong, and an operator
        // must act, exactly as on a missing permission.
        (
            "NotFoundException" | "KMS.NotFoundException" | "KMS.DisabledException" | "KMS.KMSInvalidStateException",
            _,
        )
        | ("QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue", _)
        // Firehose's: the stream, its key or its source is not as it must be.
        | ("InvalidArgumentException" | "InvalidKMSResourceException" | "InvalidSourceException", _)
        | ("ValidationException" | "InvalidParameterValue" | "InvalidRequestException" | "PermanentRedirect", _) => {
            StoreError::Denied(failure)
        }
        (
            "AccessDenied"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "DisabledException"
            | "KMSInvalidStateException",
            _,
        ) => StoreError::Denied(failure),
        ("InvalidCiphertextException" | "IncorrectKeyException" | "BadDigest", _) => StoreError::Corrupt(failure),
        (_, 404) => StoreError::NotFound(failure),
        (_, 409 | 412) => StoreError::Conflict(failure),
        (_, 429 | 503) => StoreError::Throttled(failure),
        (_, 401 | 403) => StoreError::Denied(failure),
        _ => StoreError::Unknown(failure),
    }
}
