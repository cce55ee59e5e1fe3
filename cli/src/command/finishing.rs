//! Publishing in the stead of audit-write and sweep: with their settings, by their code, and under a key that the caller names.

use ledgerline_aws::control::ControlTable;
use ledgerline_aws::ledger::LedgerBucket;
use ledgerline_aws::postings::PostingRows;
use ledgerline_aws::signing::KmsSigner;
use ledgerline_custody::publication::{self, Memory, Settings};

use crate::cloud::{Cloud, named};
use crate::fault::Fault;

/// The former key and what it takes to sign what a log still lacks, by the same code as audit-write's and sweep's.
pub(super) struct Finishing {
    control: ControlTable,
    ledger: LedgerBucket,
    postings: PostingRows,
    signer: KmsSigner,
    pub(super) settings: Settings,
    pub(super) memory: Memory,
}

impl Finishing {
    pub(super) fn new(cloud: &Cloud, old: &str) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        let signer = cloud.entered(|| KmsSigner::new(&operator.deployment.sdk_config(), old));
        Ok(Self {
            control: ControlTable::new(operator.dynamodb.clone(), named(operator.table("ControlTable"))?),
            ledger: LedgerBucket::new(operator.s3.clone(), named(operator.bucket("LedgerBucket"))?),
            postings: PostingRows::new(operator.dynamodb.clone(), named(operator.table("IndexTable"))?),
            signer,
            settings: settings(cloud)?,
            memory: Memory::default(),
        })
    }
}

/// As audit-write is told. The deployment's id goes into what is signed: a wrong stack file must not name it.
fn settings(cloud: &Cloud) -> Result<Settings, Fault> {
    let deployment = named(cloud.operator.deployment.id())?;
    let told = cloud.audit_write()?.variables.remove("DEPLOYMENT_ID").unwrap_or_default();
    if told != deployment {
        let what = format!("the stack file is of the deployment {deployment:?}, and audit-write is told {told:?}");
        return Err(Fault::new(what, "write stack.json anew, with this deployment's deploymentId"));
    }
    Ok(Settings { deployment, locks: cloud.lock_policy()? })
}

impl publication::Ports for Finishing {
    type Control = ControlTable;
    type Ledger = LedgerBucket;
    type Index = PostingRows;
    type Signer = KmsSigner;

    fn control(&self) -> &ControlTable {
        &self.control
    }

    fn ledger(&self) -> &LedgerBucket {
        &self.ledger
    }

    fn index(&self) -> &PostingRows {
        &self.postings
    }

    fn signer(&self) -> &KmsSigner {
        &self.signer
    }
}
