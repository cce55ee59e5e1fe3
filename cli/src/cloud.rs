//! A deployment in an account, or in an emulator on this machine: its description, its clients, and one runtime behind
//! synchronous calls.
//!
//! Invariant: every failure of the account becomes a [`Fault`] that names what was attempted and what to do.

use std::num::ParseIntError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledgerline_aws::bucket::S3Bucket;
use ledgerline_aws::evidence::StoredEvidence;
use ledgerline_aws::operator::{Deployment, FunctionSettings, Operator};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::{LockPolicy, PolicyError};
use ledgerline_ledger::signing::{public_key_of_spki, vkey};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{BadRegion, Region};
use ledgerline_store::athena::Athena;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::watch::Watch;
use tokio::runtime::{Builder, Runtime};

use crate::fault::Fault;

/// Threads that wait for the network. Work is done by the command's own threads.
const NETWORK_THREADS: usize = 2;

/// A deployment that is talked to.
pub(crate) struct Cloud {
    /// The deployment and its clients.
    pub(crate) operator: Operator,
    runtime: Runtime,
}

impl Cloud {
    /// Opens the deployment that a stack.json describes.
    pub(crate) fn open(stack: &Path) -> Result<Self, Fault> {
        let remedy =
            "name the deployment's stack.json; `cargo xtask up` writes one, cli/README.md says how to make one";
        let text = std::fs::read_to_string(stack)
            .map_err(|error| Fault::caused_by(format!("cannot read {}", stack.display()), &error, remedy))?;
        let deployment = Deployment::read(&text).map_err(|error| {
            Fault::caused_by(format!("{} describes no deployment", stack.display()), &error, remedy)
        })?;
        // The clients look for the runtime that they sleep on when they are made.
        let runtime = runtime()?;
        let operator = {
            let _entered = runtime.enter();
            Operator::new(deployment)
        };
        Ok(Self { operator, runtime })
    }

    /// Waits for an answer; `what` names the attempt.
    pub(crate) fn ask<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, Fault> {
        self.runtime.block_on(answer).map_err(|error| store_fault(&error))
    }

    /// Waits for an answer whose failure the caller knows how to read.
    pub(crate) fn wait_for<T, E>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.runtime.block_on(answer)
    }

    /// Lets time pass.
    pub(crate) fn pause(&self, time: Duration) {
        // Made inside: a timer, too, looks for its runtime.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// Makes a client: clients look for the runtime that they sleep on when they are made.
    pub(crate) fn entered<T>(&self, make: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.enter();
        make()
    }

    /// The ledger as evidence, heads and postings included.
    pub(crate) fn evidence(&self) -> Result<StoredEvidence, Fault> {
        let LedgerStores { heads, postings, .. } = self.ledger()?;
        let bucket = told(self.operator.objects_of("LedgerBucket"))?;
        Ok(StoredEvidence::new(self.runtime.handle().clone(), bucket).with_tables(heads, postings))
    }

    /// The ledger's rows and objects.
    pub(crate) fn ledger(&self) -> Result<LedgerStores, Fault> {
        told(self.operator.ledger())
    }

    /// What audit-write is told.
    pub(crate) fn audit_write(&self) -> Result<FunctionSettings, Fault> {
        let name = Deployment::named(&self.operator.deployment.functions, "AuditWriteFunction");
        self.ask(self.operator.function_settings(name.map_err(|error| store_fault(&error))?))
    }

    /// Where phone numbers that say no country belong to, as transform is told.
    pub(crate) fn region(&self) -> Result<Region, Fault> {
        self.transforms("DEFAULT_REGION")?.parse().map_err(|error: BadRegion| {
            let remedy = "set the template's parameter DefaultRegion, and deploy it again";
            Fault::caused_by("transform's DEFAULT_REGION cannot be read", &error, remedy)
        })
    }

    /// Links at which a subject is shared, as transform is told.
    pub(crate) fn fan_out_cap(&self) -> Result<u64, Fault> {
        self.transforms("FAN_OUT_CAP")?.parse().map_err(|error: ParseIntError| {
            Fault::caused_by("transform's FAN_OUT_CAP is not a number", &error, "deploy the template again")
        })
    }

    /// A variable of transform's.
    fn transforms(&self, variable: &str) -> Result<String, Fault> {
        let name = named(Deployment::named(&self.operator.deployment.functions, "TransformFunction"))?;
        let settings = self.ask(self.operator.function_settings(&name))?;
        let missing = || Fault::new(format!("transform is told no {variable}"), "deploy the current template");
        settings.variables.get(variable).cloned().ok_or_else(missing)
    }

    /// The workgroup and the database that gold asks.
    pub(crate) fn workgroup(&self) -> Result<Arc<dyn Athena>, Fault> {
        let name = named(Deployment::named(&self.operator.deployment.functions, "GoldFunction"))?;
        let variables = self.ask(self.operator.function_settings(&name))?.variables;
        let told = |variable: &str| {
            let missing = || Fault::new(format!("gold is told no {variable}"), "deploy the current template");
            variables.get(variable).cloned().ok_or_else(missing)
        };
        Ok(self.operator.workgroup(&told("WORKGROUP")?, &told("DATABASE")?))
    }

    /// How audit-write is told to lock evidence.
    pub(crate) fn lock_policy(&self) -> Result<LockPolicy, Fault> {
        let variables = self.audit_write()?.variables;
        let policy = LockPolicy::read(|variable| variables.get(variable).cloned().unwrap_or_default());
        policy.map_err(|errors| {
            let wrong: Vec<String> = errors.iter().map(|error| format!("{} {error}", error.variable())).collect();
            let remedy = errors.first().map_or("", PolicyError::remedy);
            Fault::new(
                format!("audit-write's {}", wrong.join("; ")),
                format!("{remedy}, and deploy the template again"),
            )
        })
    }

    /// The id of the key that signs, as audit-write is told.
    pub(crate) fn signing_key_id(&self) -> Result<String, Fault> {
        self.audit_write()?.variables.get("SIGNING_KEY_ID").cloned().ok_or_else(|| {
            Fault::new(
                "audit-write has no SIGNING_KEY_ID: this deployment signs nothing",
                "deploy the current template, or name the log's public key with --key",
            )
        })
    }

    /// The verification keys of logs, each log's oldest first: those that counted when the scheduled verification last found
    /// it good, or the one that signs now where it never did.
    pub(crate) fn keys_of(&self, logs: &[LogId]) -> Result<Vec<String>, Fault> {
        let deployment = named(self.operator.deployment.id())?;
        let watch = Watch::new(told(self.operator.rows_of("ControlTable"))?);
        let (mut keys, mut current) = (Vec::new(), None);
        for log in logs {
            if let Some(watched) = self.ask(watch.watched(log))? {
                keys.extend(watched.keys);
                continue;
            }
            let key = match current {
                Some(key) => key,
                None => self.public_key(&self.signing_key_id()?)?,
            };
            current = Some(key);
            keys.push(vkey(&origin(&deployment, log), &key));
        }
        Ok(keys)
    }

    /// The Ed25519 public key of a KMS key.
    pub(crate) fn public_key(&self, key: &str) -> Result<[u8; 32], Fault> {
        let asked = self.runtime.block_on(self.operator.kms.get_public_key().key_id(key).send());
        let asked = asked.map_err(|error| {
            store_fault(&ledgerline_aws::config::store_error(format!("read the public key of {key}"), error))
        })?;
        let spki = asked.public_key.map(|blob| blob.into_inner()).unwrap_or_default();
        public_key_of_spki(&spki).map_err(|error| {
            let remedy = "name a KMS key of spec ECC_NIST_EDWARDS25519, usage SIGN_VERIFY";
            Fault::caused_by(format!("key {key} cannot sign checkpoints"), &error, remedy)
        })
    }
}

/// A resource's name in the deployment.
pub(crate) fn named(name: Result<&str, StoreError>) -> Result<String, Fault> {
    told(name.map(str::to_owned))
}

/// What the deployment's description says.
pub(crate) fn told<T>(what: Result<T, StoreError>) -> Result<T, Fault> {
    what.map_err(|error| store_fault(&error))
}

/// A bucket alone, by the environment's credentials and region.
pub(crate) struct Lone {
    runtime: Runtime,
    s3: ledgerline_aws::operator::S3,
}

impl Lone {
    /// Takes region, credentials and endpoint from the environment.
    pub(crate) fn open() -> Result<Self, Fault> {
        let runtime = runtime()?;
        let s3 = {
            let _entered = runtime.enter();
            let config = ledgerline_aws::config::load();
            if config.region().is_none() {
                let remedy = "export AWS_REGION=<the bucket's region>, and credentials that may read it";
                return Err(Fault::new("the environment names no region for the bucket", remedy));
            }
            ledgerline_aws::config::s3(&config)
        };
        Ok(Self { runtime, s3 })
    }

    /// What lies in the bucket, as evidence.
    pub(crate) fn evidence(&self, bucket: &str) -> StoredEvidence {
        StoredEvidence::new(self.runtime.handle().clone(), Arc::new(S3Bucket::new(self.s3.clone(), bucket)))
    }
}

/// What waits for the network.
pub(crate) fn runtime() -> Result<Runtime, Fault> {
    Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Fault::caused_by("cannot start", &error, "free some memory or file handles"))
}

/// What an account's refusal means for the person at the terminal.
pub(crate) fn store_fault(error: &StoreError) -> Fault {
    let remedy = match error {
        StoreError::NotFound(_) => {
            "see whether the stack file is the current deployment's, and its region the right one"
        }
        StoreError::Conflict(_) => "somebody else is at the same; run it again",
        StoreError::Throttled(_) => "the service asks for patience; run it again in a minute",
        StoreError::Denied(_) => {
            "give the environment credentials that may do this: eval \"$(aws configure export-credentials --format env)\"; \
             then see that the stack file names what this deployment has (`ledgerline doctor`)"
        }
        StoreError::Corrupt(_) => "a stored row or object is damaged; run `ledgerline verify` to see what it means",
        StoreError::Unknown(_) => "see that the endpoint answers and the network is there, then run it again",
    };
    Fault::caused_by(format!("the deployment did not do as asked ({})", error.kind().replace('_', " ")), error, remedy)
}
