//! `rotate-key`: the new signing key becomes an entry of every log while the old one still signs.
//!
//! Order: the entries first; once they are signed under the old key, the deployment is told the new one. Whoever verifies
//! later accepts the new key because the old one vouches for it. Repeating the command changes nothing.

use std::collections::BTreeMap;
use std::io;

use ledgerline_aws::control::ControlTable;
use ledgerline_custody::acts::{Act, ActKind, record_of_log};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::ports::ListLogs as _;
use ledgerline_ledger::signing::vkey;
use ledgerline_ledger::verify::KEY_FIELD;
use serde_json::{Value, json};

use super::acts::Recorder;
use crate::answer::{Answer, Answered};
use crate::args::RotateKeyArgs;
use crate::cloud::{Cloud, store_fault};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen};

/// Announces a key in every log.
pub(super) fn run(args: &RotateKeyArgs, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.deployment.stack)?;
    let settings = cloud.ask(cloud.operator.key_settings(&args.new_key))?;
    if settings.state != "Enabled" || settings.usage != "SIGN_VERIFY" {
        return Err(Fault::new(
            format!("{} is {} and for {}", args.new_key, settings.state, settings.usage),
            "name an enabled key of spec ECC_NIST_EDWARDS25519, usage SIGN_VERIFY",
        ));
    }
    let key = cloud.public_key(&args.new_key)?;
    let old = cloud.signing_key_id()?;
    if cloud.public_key(&old)? == key {
        return Err(Fault::new(
            format!("{} signs already", args.new_key),
            "announce a key before the deployment uses it: name the next one",
        ));
    }
    let id = cloud.operator.deployment.id().map_err(|error| store_fault(&error))?;
    let table = cloud.operator.table("ControlTable").map_err(|error| store_fault(&error))?;
    let logs = cloud.ask(ControlTable::new(cloud.operator.dynamodb.clone(), table).logs())?;
    let recorder = Recorder::new(&cloud)?;
    let mut announced = Vec::new();
    for log in logs {
        let vkey = vkey(&origin(id, &log), &key);
        let act = Act {
            kind: ActKind::SigningKeyAdded,
            record: record_of_log(&log),
            occurred_at: context.now_text(),
            fields: BTreeMap::from([(KEY_FIELD.to_owned(), Field::Text(vkey.clone()))]),
            log: log.clone(),
        };
        recorder.record(&format!("key/{log}/{vkey}"), &[act], context)?;
        announced.push((log.to_string(), vkey));
    }
    Ok(Box::new(Announced { old, new: settings.arn, announced }))
}

struct Announced {
    old: String,
    new: String,
    announced: Vec<(String, String)>,
}

impl Answer for Announced {
    fn json(&self) -> Value {
        let logs = self.announced.iter().map(|(log, vkey)| json!({ "log": log, "vkey": vkey }));
        json!({ "old": self.old, "new": self.new, "logs": logs.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("ROTATE-KEY", &self.new)?;
        for (log, vkey) in &self.announced {
            screen.check(Mark::Good, log, vkey)?;
        }
        screen.section("what is left to do")?;
        screen.say(
            "1. Wait until `ledgerline status` shows nothing left to sign: the old key then vouches for the new one.",
        )?;
        screen.say(
            "2. Put the new key into the template (SIGNING_KEY_ID of audit-write, sweep and verify) and deploy it.",
        )?;
        screen.say("3. Hand the new .vkey to those who verify. Keep the old key's: earlier checkpoints need it.")?;
        screen.verdict(Mark::Good, "Announced in every log.")
    }
}
