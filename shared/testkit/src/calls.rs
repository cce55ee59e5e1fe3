//! Counts the AWS calls that the real adapters would make for what the fakes were asked, so that a run's cost can be
//! read off it, and notes what a role must allow for them.
//!
//! What a function's own code touched is also written to a file, if [`FOLDER_VARIABLE`] names a folder: `cargo xtask test` holds the file
//! against the role that the template gives the function. What a test does to prepare its case has other [`Calls`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

/// Environment variable that names the folder for what functions touched: one file a function, one line a [`Touched`].
pub const FOLDER_VARIABLE: &str = "LEDGERLINE_TOUCHED";

/// Calls by name, such as `dynamodb:UpdateItem`, shared by all fakes of a run.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    by_name: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// Keys or prefixes by action, resource and family: the first of each family stands for all.
    touched: Arc<Mutex<BTreeMap<Family, String>>>,
    function: Option<&'static str>,
}

/// Action, resource, and the family of a key or prefix in it.
type Family = (&'static str, &'static str, String);

/// One thing that a role must allow: an action on a part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The IAM action, such as `dynamodb:UpdateItem`.
    pub action: &'static str,
    /// The template's name of the table, bucket, queue or key.
    pub resource: &'static str,
    /// A leading key such as `OBJ#*`, the key of an object, or a purpose of a key; empty for all of the resource.
    pub part: String,
}

impl Calls {
    /// The calls of this function's own code.
    pub fn of_function(name: &'static str) -> Self {
        Self { function: Some(name), ..Self::default() }
    }

    /// Adds `times` calls of `name`.
    pub fn add(&self, name: &'static str, times: usize) {
        *self.lock().entry(name).or_default() += times as u64;
    }

    /// Notes what a role must allow for a call.
    pub(crate) fn touch(&self, action: &'static str, resource: &'static str, family: String, part: &str) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.entry((action, resource, family)).or_insert_with_key(|family| {
            if let Some(function) = self.function {
                write_down(function, family, part);
            }
            part.to_owned()
        });
    }

    /// What roles must have allowed so far.
    pub fn touched(&self) -> BTreeSet<Touched> {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = touched.iter();
        touched.map(|((action, resource, _), part)| Touched { action, resource, part: part.clone() }).collect()
    }

    /// The calls so far, by name.
    pub fn by_name(&self) -> BTreeMap<&'static str, u64> {
        self.lock().clone()
    }

    /// All calls so far.
    pub fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    /// Starts over.
    pub fn reset(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends a line to the function's file, once per process and family.
///
/// # Panics
/// If the file cannot be written.
fn write_down(function: &'static str, family: &Family, part: &str) {
    static WRITTEN: Mutex<BTreeSet<(&str, Family)>> = Mutex::new(BTreeSet::new());
    #[expect(clippy::disallowed_methods, reason = "the commands tell the tests in this way where to write")]
    let Ok(folder) = std::env::var(FOLDER_VARIABLE) else { return };
    if WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).insert((function, family.clone())) {
        let line = format!("{}\n", json!([family.0, family.1, part]));
        let file = OpenOptions::new().create(true).append(true).open(Path::new(&folder).join(function));
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a folder to write to");
    }
}
