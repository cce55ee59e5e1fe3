//! Silver's files: of a deployment, or in a folder that has a copy of them.
//!
//! Invariant: files are read in the order of their keys, a few at a time, and none is skipped that was listed: an erasure rewrites files in
//! their places, and nothing else takes one away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hyper::body::Bytes;
use indicatif::ProgressBar;
use ledgerline_lake::keys;
use ledgerline_lake::mining::{Event, read_events};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::gold::Gold;
use time::Date;
use tokio::task::JoinSet;

use crate::args::LakeArgs;
use crate::cloud::{Cloud, store_fault, told};
use crate::fault::Fault;

use super::sorting_fault;

/// Files that are fetched at once. A bronze object has 128 MB at most, and its silver a tenth of that: some 100 MB.
const AT_ONCE: usize = 8;

/// Where silver is.
pub(super) enum Silver {
    Folder(PathBuf),
    Stack(Box<Cloud>, Gold),
}

impl Silver {
    pub(super) fn open(args: &LakeArgs) -> Result<Self, Fault> {
        match (&args.stack, &args.folder) {
            (Some(stack), _) => {
                let cloud = Cloud::open(stack)?;
                let gold = Gold::new(told(cloud.operator.objects_of("LakeBucket"))?);
                Ok(Self::Stack(Box::new(cloud), gold))
            }
            (None, Some(folder)) if folder.join(keys::SILVER).is_dir() => Ok(Self::Folder(folder.clone())),
            (None, Some(folder)) => Err(Fault::new(
                format!("{} has no folder silver", folder.display()),
                "copy the lake's bucket there: aws s3 sync s3://<bucket>/silver DIR/silver",
            )),
            (None, None) => Err(Fault::new("neither --stack nor --folder is given", "name one of them")),
        }
    }

    /// The keys of a date's files, in their order.
    pub(super) fn files(&self, date: Date) -> Result<Vec<String>, Fault> {
        match self {
            Self::Stack(cloud, gold) => {
                Ok(cloud.ask(gold.silver_of(date))?.into_iter().map(|input| input.key).collect())
            }
            Self::Folder(folder) => {
                let below = keys::silver_events_of(date);
                let listed = listed(&folder.join(&below));
                let names = listed.map_err(|error| unreadable(&folder.join(&below), &error))?;
                let keys = names.into_iter().map(|name| format!("{below}{name}"));
                Ok(keys.filter(|key| keys::parse_silver_events(key).is_some()).collect())
            }
        }
    }

    /// Hands on the events of an org's conversations in these files.
    pub(super) fn events(
        &self,
        files: &[String],
        org: &str,
        progress: &ProgressBar,
        each: &mut dyn FnMut(Event) -> io::Result<()>,
    ) -> Result<(), Fault> {
        for keys in files.chunks(AT_ONCE) {
            for (key, parquet) in keys.iter().zip(self.fetch(keys)?) {
                let mut pushed = Ok(());
                let read = read_events(&parquet, org, &mut |event| {
                    if pushed.is_ok() {
                        pushed = each(event);
                    }
                });
                read.map_err(|error| {
                    let remedy = "look at what transform logs, or use the ledgerline of the deployment's version";
                    Fault::caused_by(format!("{key} cannot be read"), &error, remedy)
                })?;
                pushed.map_err(|error| sorting_fault(&error))?;
                progress.inc(1);
            }
        }
        Ok(())
    }

    /// The files of these keys, in their order.
    fn fetch(&self, keys: &[String]) -> Result<Vec<Bytes>, Fault> {
        match self {
            Self::Folder(folder) => {
                let read = |key: &String| {
                    let path = folder.join(key);
                    fs::read(&path).map(Bytes::from).map_err(|error| unreadable(&path, &error))
                };
                keys.iter().map(read).collect()
            }
            Self::Stack(cloud, gold) => {
                let fetched = cloud.wait_for(async {
                    let mut tasks = JoinSet::new();
                    for (place, key) in keys.iter().cloned().enumerate() {
                        let gold = gold.clone();
                        tasks.spawn(async move { (place, gold.load(&key).await) });
                    }
                    let mut fetched = vec![None; keys.len()];
                    for (place, loaded) in tasks.join_all().await {
                        fetched[place] = loaded?.map(|stored| stored.bytes);
                    }
                    Ok::<_, StoreError>(fetched)
                });
                let fetched = fetched.map_err(|error| store_fault(&error))?;
                let gone = |key: &String| Fault::new(format!("{key} is gone since it was listed"), "run it again");
                fetched.into_iter().zip(keys).map(|(bytes, key)| bytes.ok_or_else(|| gone(key))).collect()
            }
        }
    }
}

/// The names in a folder, in their order; none if there is no such folder: a date without events.
fn listed(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::caused_by(
        format!("cannot read {}", path.display()),
        error,
        "see that the folder is a whole copy, and readable",
    )
}
