//! A function's role, and single calls made in its name: what the template allows it, and what it does not.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use aws_sdk_firehose::types::Record;
use aws_sdk_kms::types::{DataKeyPairSpec, DataKeySpec, SigningAlgorithmSpec};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::types::ObjectLockMode;

use crate::stack::{Item, Stack};

/// One call. Buckets, tables, queues and functions go by their logical names; a table's rows by their partition.
///
/// An allowed call changes nothing: each write names a condition or a checksum that fails, or something that is not there.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// An object, which is not there.
    GetObject(&'static str, &'static str),
    /// A version, which is not there.
    GetVersion(&'static str, &'static str),
    /// An object without a lock.
    PutObject(&'static str, &'static str),
    /// An object that is locked for some days, once.
    PutLocked(&'static str, &'static str, u64),
    /// The same, in place of whatever is there.
    PutLockedAgain(&'static str, &'static str, u64),
    /// An object with a tag.
    PutTagged(&'static str, &'static str),
    /// A name, to be deleted.
    DeleteObject(&'static str, &'static str),
    /// A version, which is not there, to be deleted.
    DeleteVersion(&'static str, &'static str),
    /// The names in a bucket.
    ListObjects(&'static str),
    /// A row.
    GetItem(&'static str, &'static str),
    /// Some rows.
    BatchGet(&'static str, &'static str),
    /// All rows of a partition.
    Query(&'static str, &'static str),
    /// A whole row.
    PutItem(&'static str, &'static str),
    /// A part of a row.
    UpdateItem(&'static str, &'static str),
    /// A row, which is not there, to be deleted.
    DeleteItem(&'static str, &'static str),
    /// The same, in a batch.
    BatchDelete(&'static str, &'static str),
    /// All rows.
    Scan(&'static str),
    /// A message.
    Send(&'static str),
    /// What waits, left as it is.
    Receive(&'static str),
    /// A new data key, under the data keys' key.
    MakeKey {
        /// Whose.
        deployment: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// Unwraps a data key; the ciphertext is not one.
    OpenKey {
        /// Whose.
        deployment: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// A new pair of keys, its private half wrapped under the data keys' key.
    MakePair {
        /// Whose.
        deployment: &'static str,
        /// What for.
        purpose: &'static str,
        /// The private half in clear, too.
        in_clear: bool,
    },
    /// A signature of the signing key.
    Sign,
    /// A record for the delivery stream.
    PutRecords,
    /// A function.
    Invoke(&'static str),
}

/// A role that was assumed.
pub struct Role<'a> {
    stack: &'a Stack,
    name: &'static str,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    kms: aws_sdk_kms::Client,
    firehose: aws_sdk_firehose::Client,
    lambda: aws_sdk_lambda::Client,
    data_key: String,
    signing_key: String,
}

impl<'a> Role<'a> {
    /// The role of a function.
    ///
    /// # Panics
    /// If the emulator refuses it.
    pub fn of(stack: &'a Stack, function: &'static str) -> Self {
        let operator = stack.block(stack.description().sdk_config());
        let role = stack.deployed(function).role.unwrap();
        let assume = aws_sdk_sts::Client::new(&operator).assume_role().role_arn(role).role_session_name("roles");
        let session = stack.block(assume.send()).unwrap().credentials.unwrap();
        let (key, secret) = (session.access_key_id, session.secret_access_key);
        let credentials = Credentials::new(key, secret, Some(session.session_token), None, "roles");
        let provider = SharedCredentialsProvider::new(credentials);
        let config = operator.into_builder().credentials_provider(provider).build();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self {
            stack,
            name: function,
            s3: aws_sdk_s3::Client::from_conf(s3),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            firehose: aws_sdk_firehose::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            data_key: variable(stack, "TransformFunction", "DATA_KEY_ID"),
            signing_key: variable(stack, "AuditWriteFunction", "SIGNING_KEY_ID"),
        }
    }

    /// Makes calls that the role allows, then calls that it does not.
    ///
    /// # Panics
    /// If any goes the other way; the message names all of these.
    pub fn check(&self, allowed: &[Call], refused: &[Call]) {
        let went = |call: &Call, is_allowed: bool| self.stack.block(self.is_refused(*call)) == is_allowed;
        let mut wrong: Vec<String> =
            allowed.iter().filter(|call| went(call, true)).map(|call| format!("may not {call:?}")).collect();
        wrong.extend(refused.iter().filter(|call| went(call, false)).map(|call| format!("may {call:?}")));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", self.name);
    }

    async fn is_refused(&self, call: Call) -> bool {
        let table = |logical: &str| self.stack.description().tables[logical].clone();
        let queue = |logical: &str| self.stack.description().queues[logical].clone();
        match call {
            Call::GetObject(bucket, key) => {
                refused(self.s3.get_object().bucket(self.stack.bucket(bucket)).key(key).send().await)
            }
            Call::GetVersion(bucket, key) => {
                let get = self.s3.get_object().bucket(self.stack.bucket(bucket)).key(key);
                refused(get.version_id(NOWHERE).send().await)
            }
            Call::PutObject(bucket, key) => refused(self.put(bucket, key).send().await),
            Call::PutTagged(bucket, key) => refused(self.put(bucket, key).tagging("ledgerline=retired").send().await),
            Call::PutLocked(bucket, key, days) => {
                refused(self.put_locked(bucket, key, days).if_none_match("*").send().await)
            }
            Call::PutLockedAgain(bucket, key, days) => refused(self.put_locked(bucket, key, days).send().await),
            Call::DeleteObject(bucket, key) => {
                refused(self.s3.delete_object().bucket(self.stack.bucket(bucket)).key(key).send().await)
            }
            Call::DeleteVersion(bucket, key) => {
                let delete = self.s3.delete_object().bucket(self.stack.bucket(bucket)).key(key);
                refused(delete.version_id(NOWHERE).send().await)
            }
            Call::ListObjects(bucket) => {
                refused(self.s3.list_objects_v2().bucket(self.stack.bucket(bucket)).max_keys(1).send().await)
            }
            Call::GetItem(name, pk) => {
                refused(self.dynamodb.get_item().table_name(table(name)).set_key(Some(row(pk))).send().await)
            }
            Call::BatchGet(name, pk) => {
                let keys = KeysAndAttributes::builder().keys(row(pk)).build().unwrap();
                refused(self.dynamodb.batch_get_item().request_items(table(name), keys).send().await)
            }
            Call::Query(name, pk) => {
                let query = self.dynamodb.query().table_name(table(name)).key_condition_expression("pk = :pk");
                refused(query.expression_attribute_values(":pk", text(pk)).send().await)
            }
            Call::PutItem(name, pk) => {
                let put = self.dynamodb.put_item().table_name(table(name)).set_item(Some(row(pk)));
                refused(put.condition_expression("attribute_exists(nothing)").send().await)
            }
            Call::UpdateItem(name, pk) => {
                let update = self.dynamodb.update_item().table_name(table(name)).set_key(Some(row(pk)));
                let update =
                    update.update_expression("REMOVE nothing").condition_expression("attribute_exists(nothing)");
                refused(update.send().await)
            }
            Call::DeleteItem(name, pk) => {
                refused(self.dynamodb.delete_item().table_name(table(name)).set_key(Some(row(pk))).send().await)
            }
            Call::BatchDelete(name, pk) => {
                let delete = DeleteRequest::builder().set_key(Some(row(pk))).build().unwrap();
                let write = WriteRequest::builder().delete_request(delete).build();
                refused(self.dynamodb.batch_write_item().request_items(table(name), vec![write]).send().await)
            }
            Call::Scan(name) => refused(self.dynamodb.scan().table_name(table(name)).limit(1).send().await),
            // Without a group a FIFO queue takes no message.
            Call::Send(name) => {
                // The eraser looks at a request that is not there, and keeps what it cannot read.
                let nothing = r#"{"v":1,"kind":"erase","request":"req_00000000000000000000000000000000"}"#;
                let body = if name == "EraseQueue" { nothing } else { "{}" };
                refused(self.sqs.send_message().queue_url(queue(name)).message_body(body).send().await)
            }
            Call::Receive(name) => {
                let receive = self.sqs.receive_message().queue_url(queue(name)).visibility_timeout(0);
                refused(receive.wait_time_seconds(0).send().await)
            }
            Call::MakeKey { deployment, purpose } => {
                let make = self.kms.generate_data_key().key_id(&self.data_key);
                let make = make.key_spec(DataKeySpec::Aes256).encryption_context("deployment", deployment);
                refused(make.encryption_context("purpose", purpose).send().await)
            }
            Call::OpenKey { deployment, purpose } => {
                let open = self.kms.decrypt().key_id(&self.data_key);
                let open =
                    open.ciphertext_blob(b"nothing".as_slice().into()).encryption_context("deployment", deployment);
                refused(open.encryption_context("purpose", purpose).send().await)
            }
            Call::MakePair { deployment, purpose, in_clear: false } => {
                let make = self.kms.generate_data_key_pair_without_plaintext().key_id(&self.data_key);
                let make = make.key_pair_spec(DataKeyPairSpec::EccNistP256);
                let make = make.encryption_context("deployment", deployment);
                refused(make.encryption_context("purpose", purpose).send().await)
            }
            Call::MakePair { deployment, purpose, in_clear: true } => {
                let make = self.kms.generate_data_key_pair().key_id(&self.data_key);
                let make = make.key_pair_spec(DataKeyPairSpec::EccNistP256);
                let make = make.encryption_context("deployment", deployment);
                refused(make.encryption_context("purpose", purpose).send().await)
            }
            Call::Sign => {
                let sign = self.kms.sign().key_id(&self.signing_key);
                let sign = sign.signing_algorithm(SigningAlgorithmSpec::from("ED25519_SHA_512"));
                refused(sign.message(b"nothing".as_slice().into()).send().await)
            }
            Call::PutRecords => {
                let record = Record::builder().data(b"no event".as_slice().into()).build().unwrap();
                let stream = self.stack.description().stream("EventStream").unwrap();
                refused(self.firehose.put_record_batch().delivery_stream_name(stream).records(record).send().await)
            }
            Call::Invoke(function) => {
                let name = &self.stack.description().functions[function];
                refused(self.lambda.invoke().function_name(name).send().await)
            }
        }
    }

    fn put(&self, bucket: &str, key: &str) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        self.s3.put_object().bucket(self.stack.bucket(bucket)).key(key).content_md5(WRONG_MD5)
    }

    #[expect(clippy::disallowed_methods, reason = "S3 compares a lock with its own clock")]
    fn put_locked(
        &self,
        bucket: &str,
        key: &str,
        days: u64,
    ) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        // An hour more, as our locks have it.
        let until = SystemTime::now() + Duration::from_secs((days * 24 + 1) * 3600);
        let put = self.put(bucket, key).object_lock_mode(ObjectLockMode::Governance);
        put.object_lock_retain_until_date(until.into())
    }
}

/// Whether a call was refused for want of a permission; any other answer, a failure too, comes after that question.
fn refused<T, E: ProvideErrorMetadata + Debug, R: Debug>(answer: Result<T, SdkError<E, R>>) -> bool {
    match answer {
        Ok(_) => false,
        Err(SdkError::ServiceError(error)) => {
            // A missing object is refused as well to a caller who may not list the bucket, in other words.
            let says_why = error.err().message().is_some_and(|text| text.contains("not authorized to perform"));
            says_why && matches!(error.err().code(), Some("AccessDenied" | "AccessDeniedException"))
        }
        Err(error) => panic!("no answer: {error:?}"),
    }
}

fn variable(stack: &Stack, function: &str, name: &str) -> String {
    stack.deployed(function).environment.unwrap().variables.unwrap()[name].clone()
}

fn row(pk: &str) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(NOWHERE))])
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// What no row and no version is called.
const NOWHERE: &str = "nowhere";
/// Of nothing that is put here: S3 refuses the object.
const WRONG_MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
