//! Publishing in the stead of audit-write and sweep: with their settings, by their code, and under a key that the caller names.

use ledgerline_aws::signer::KmsSigner;
use ledgerline_custody::publication::{Memory, Publication, Settings};
use ledgerline_store::ledger::LedgerStores;

use crate::cloud::{Cloud, named};
use crate::fault::Fault;

/// The former key and what it takes to sign what a log still lacks, by the same code as audit-write's and sweep's.
pub(super) struct Finishing {
    ledger: LedgerStores,
    signer: KmsSigner,
    settings: Settings,
    memory: Memory,
}

impl Finishing {
    pub(super) fn new(cloud: &Cloud, old: &str) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        let signer = cloud.entered(|| KmsSigner::new(&operator.deployment.sdk_config(), old));
        Ok(Self { ledger: cloud.ledger()?, signer, settings: settings(cloud)?, memory: Memory::default() })
    }

    /// Publishes in the stead of audit-write and sweep.
    pub(super) fn publication(&self) -> Publication<'_> {
        let Self { ledger, signer, settings, memory } = self;
        Publication { stores: ledger, signer, settings, memory }
    }
}

/// As audit-write is told. The deployment's id goes into what is signed: a wrong stack file must not name it.
fn settings(cloud: &Cloud) -> Result<Settings, Fault> {
    let deployment = named(cloud.operator.deployment.id())?;
    let told = cloud.audit_write()?.variables.remove("DEPLOYMENT_ID").unwrap_or_default();
    if told != deployment {
        let what = format!("the stack file is of the deployment {deployment:?}, and audit-write is told {told:?}");
        return Err(Fault::new(what, "write stack.json again, with this deployment's deploymentId"));
    }
    Ok(Settings { deployment, locks: cloud.lock_policy()? })
}
