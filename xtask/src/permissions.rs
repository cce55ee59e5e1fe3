//! What the tests of each function called, held against the role that the template gives the function: a call that the role does not
//! allow is a difference, and so is an allowance that no test needs.
//!
//! The strict fakes note calls by action, resource and key (`ledgerline_testkit::calls`), whatever a function's tests ask of them. What
//! Lambda does with the role, and what S3 asks of it for an encrypted bucket, is read off the template. Conditions of the template count
//! as they are by default. The local stack shows the same from the other side: there a missing permission fails the call itself.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::paths;
use crate::tools::{self, Venv};

/// Environment variable that tells the tests where to write what they called.
pub const FOLDER_VARIABLE: &str = "LEDGERLINE_TOUCHED";

/// What Lambda does with a function's role: with its log group, and with a queue that is its source.
const LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const QUEUE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
/// What S3 asks of the caller for an object of a bucket that a key of KMS encrypts.
const ENCRYPTED: [(&str, &str); 3] =
    [("s3:GetObject", "kms:Decrypt"), ("s3:GetObjectVersion", "kms:Decrypt"), ("s3:PutObject", "kms:GenerateDataKey")];
/// What Athena does in the name of who asks it: it looks the tables up, reads them, and writes the answer.
const BY_ATHENA: (&str, &[&str]) =
    ("athena:StartQueryExecution", &["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"]);
const CATALOG: &str = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:";
const OF_RESULTS: [(&str, &str); 4] = [
    ("s3:GetBucketLocation", ""),
    ("s3:GetObject", "silver/x"),
    ("s3:GetObject", "athena/x"),
    ("s3:PutObject", "athena/x"),
];
/// The keys of conditions that name parts of a resource.
const PARTS: [&str; 2] = ["dynamodb:LeadingKeys", "kms:EncryptionContext:purpose"];

/// An action, the template's name of a resource, and a key or prefix in it; of what a role allows, patterns.
type Permission = (String, String, String);

/// What differs between the template's roles and what is noted in a folder, in words; empty where nothing does.
///
/// # Errors
/// The template cannot be translated, or a note not be read.
pub fn differences(folder: &Path) -> Result<Vec<String>, Fault> {
    let mut translate = Venv::lint()?.command("python");
    translate.arg(paths::infra("local/translate.py")).arg(paths::infra(""));
    let output = tools::run(&mut translate, || "mend the template".to_owned())?;
    let deployed: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        Fault::caused_by("translate.py printed something else than JSON", error, "mend infra/local/translate.py")
    })?;
    compare(&deployed["template"]["Resources"], |function| noted(&folder.join(function)))
}

/// What a function's tests touched; nothing where they left no file.
fn noted(file: &Path) -> Result<BTreeSet<Permission>, Fault> {
    let lines = paths::read(file).unwrap_or_default();
    let damaged = |error| Fault::caused_by(format!("{} is damaged", file.display()), error, "run the tests again");
    lines.lines().map(|line| serde_json::from_str(line).map_err(damaged)).collect()
}

fn compare(
    resources: &Value,
    noted: impl Fn(&str) -> Result<BTreeSet<Permission>, Fault>,
) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for (id, function) in of_type(resources, "AWS::Lambda::Function") {
        let properties = &function["Properties"];
        let name = properties["FunctionName"]["Fn::Sub"].as_str().and_then(|name| name.split_once("}-"));
        let (name, role) = (name.map_or(id.as_str(), |parts| parts.1), named(resources, &properties["Role"]).0);
        let mut needed = noted(name)?;
        needed.extend(by_lambda(resources, id, properties));
        needed.extend(by_athena(&needed));
        needed.extend(by_encryption(resources, &needed));
        let allowed = allowed(resources, &resources[&role]["Properties"]["Policies"]);
        let covers = |allowed: &Permission, needed: &Permission| {
            fits(&allowed.0, &needed.0) && fits(&allowed.1, &needed.1) && fits(&allowed.2, &needed.2)
        };
        for one in needed.iter().filter(|one| !allowed.iter().any(|allowed| covers(allowed, one))) {
            let (action, resource, part) = one;
            found.push(format!(
                "{name} calls {action} on {resource} {part}, which {role} does not allow: allow it in the template, or do without it"
            ));
        }
        for one in allowed.iter().filter(|allowed| !needed.iter().any(|one| covers(allowed, one))) {
            let (action, resource, part) = one;
            found.push(format!(
                "{role} allows {action} on {resource} {part}, which no test of {name} calls: take it out of the template, or test what needs it"
            ));
        }
    }
    Ok(found)
}

/// What Lambda itself does in the function's role.
fn by_lambda(resources: &Value, id: &str, function: &Value) -> BTreeSet<Permission> {
    let group = function["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap_or_default();
    let logs = LOGS.map(|action| (action.to_owned(), group.to_owned(), String::new()));
    let sources = of_type(resources, "AWS::Lambda::EventSourceMapping").map(|(_, mapping)| &mapping["Properties"]);
    let queues = sources.filter(|mapping| mapping["FunctionName"]["Ref"] == id).flat_map(|mapping| {
        QUEUE.map(|action| (action.to_owned(), named(resources, &mapping["EventSourceArn"]).0, String::new()))
    });
    logs.into_iter().chain(queues).collect()
}

/// What a question to Athena needs beside itself. The one table that a function asks is silver's.
fn by_athena(needed: &BTreeSet<Permission>) -> BTreeSet<Permission> {
    let (asks, looks) = BY_ATHENA;
    if !needed.iter().any(|(action, ..)| action == asks) {
        return BTreeSet::new();
    }
    let places = ["catalog", "database/${LakeDatabase}", "table/${LakeDatabase}/${SilverEventsTable}"];
    let of_catalog = looks
        .iter()
        .flat_map(|action| places.map(|place| ((*action).to_owned(), format!("{CATALOG}{place}"), String::new())));
    let of_lake = OF_RESULTS.map(|(action, part)| (action.to_owned(), "LakeBucket".to_owned(), part.to_owned()));
    of_catalog.chain(of_lake).collect()
}

/// What calls on the objects of encrypted buckets need beside themselves.
fn by_encryption(resources: &Value, needed: &BTreeSet<Permission>) -> BTreeSet<Permission> {
    let key_of = |bucket: &str| {
        let encryption = &resources[bucket]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        let key = &encryption[0]["ServerSideEncryptionByDefault"]["KMSMasterKeyID"];
        (!key.is_null()).then(|| named(resources, key).0)
    };
    let of_call = |(action, bucket, _): &Permission| {
        let (_, asked) = ENCRYPTED.iter().find(|(of, _)| of == action)?;
        Some(((*asked).to_owned(), key_of(bucket)?, String::new()))
    };
    needed.iter().filter_map(of_call).collect()
}

/// What a role's policies allow, each pattern by itself, so that an unused one is told.
fn allowed(resources: &Value, policies: &Value) -> BTreeSet<Permission> {
    let mut all = BTreeSet::new();
    let statements = each(policies).into_iter().flat_map(|policy| each(&policy["PolicyDocument"]["Statement"]));
    for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
        let operators = statement["Condition"].as_object().into_iter().flat_map(|operators| operators.values());
        let parts: Vec<String> = operators.flat_map(|keys| PARTS.iter().flat_map(|key| texts(&keys[key]))).collect();
        for (name, within) in each(&statement["Resource"]).into_iter().map(|resource| named(resources, resource)) {
            let parts = if parts.is_empty() { vec![within] } else { parts.clone() };
            for action in texts(&statement["Action"]) {
                all.extend(parts.iter().map(|part| (action.clone(), name.clone(), part.clone())));
            }
        }
    }
    all
}

/// The template's name of what an ARN or a reference is of, and the pattern of keys behind it.
fn named(resources: &Value, reference: &Value) -> (String, String) {
    let whole = |name: &str| (name.to_owned(), "*".to_owned());
    if let Some(name) = reference["Fn::GetAtt"][0].as_str().or_else(|| reference["Ref"].as_str()) {
        return whole(name);
    }
    let text = reference["Fn::Sub"].as_str().or_else(|| reference.as_str()).unwrap_or_default();
    if let Some((name, keys)) = text.strip_prefix("${").and_then(|text| text.split_once(".Arn}/")) {
        return (name.to_owned(), keys.to_owned());
    }
    // A policy that must not wait for a resource has its name instead.
    let last = json!({ "Fn::Sub": text.rsplit('/').next() });
    let has_name = |resource: &Value| {
        resource["Properties"].as_object().is_some_and(|properties| properties.values().any(|value| *value == last))
    };
    let found = resources.as_object().and_then(|all| all.iter().find(|(_, resource)| has_name(resource)));
    found.map_or_else(|| whole(text), |(name, _)| whole(name))
}

fn of_type<'a>(resources: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    resources.as_object().into_iter().flatten().filter(move |(_, resource)| resource["Type"] == kind)
}

/// Whether a text is what a pattern of IAM's says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(rest, &text[at..]))
        }),
    }
}

fn texts(value: &Value) -> Vec<String> {
    each(value).into_iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// One value or a list of them, of a condition's alternatives the one that is taken by default.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().flat_map(each).collect(),
        one if one["Ref"] == "AWS::NoValue" => Vec::new(),
        one if one.get("Fn::If").is_some() => each(&one["Fn::If"][2]),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function `copy` that reads rows and puts objects back into a stream, and writes an encrypted bucket.
    fn template(statements: Value) -> Value {
        let name = |suffix: &str| json!({ "Fn::Sub": format!("${{Id}}-{suffix}") });
        let function = json!({ "FunctionName": name("copy"), "Role": { "Fn::GetAtt": ["CopyRole", "Arn"] },
            "LoggingConfig": { "LogGroup": { "Ref": "CopyLogs" } } });
        let source = json!({ "FunctionName": { "Ref": "Copy" }, "EventSourceArn": { "Fn::GetAtt": ["Queue", "Arn"] } });
        let encryption =
            json!([{ "ServerSideEncryptionByDefault": { "KMSMasterKeyID": { "Fn::GetAtt": ["Key", "Arn"] } } }]);
        let mut all = json!([
            { "Effect": "Allow", "Action": LOGS, "Resource": { "Fn::GetAtt": ["CopyLogs", "Arn"] } },
            { "Effect": "Allow", "Action": QUEUE, "Resource": { "Fn::GetAtt": ["Queue", "Arn"] } },
        ]);
        all.as_array_mut().unwrap().extend(statements.as_array().unwrap().clone());
        json!({
            "Copy": { "Type": "AWS::Lambda::Function", "Properties": function },
            "Source": { "Type": "AWS::Lambda::EventSourceMapping", "Properties": source },
            "Stream": { "Type": "Stream", "Properties": { "StreamName": name("events") } },
            "Bucket": { "Type": "Bucket", "Properties": { "BucketEncryption": { "ServerSideEncryptionConfiguration": encryption } } },
            "CopyRole": { "Type": "Role", "Properties": { "Policies": [{ "PolicyDocument": { "Statement": all } }] } },
        })
    }

    fn differing(statements: Value, touched: &[(&str, &str, &str)]) -> Vec<String> {
        let touched = touched
            .iter()
            .map(|(action, resource, part)| ((*action).to_owned(), (*resource).to_owned(), (*part).to_owned()));
        let touched: BTreeSet<Permission> = touched.collect();
        let found = compare(&template(statements), |name| {
            assert_eq!(name, "copy");
            Ok(touched.clone())
        });
        // What follows says what to do, and is the same for all.
        found.unwrap().iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect()
    }

    fn rows(keys: Value) -> Value {
        json!({ "Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": { "Fn::GetAtt": ["Table", "Arn"] },
            "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": keys } } })
    }

    #[test]
    fn a_role_that_allows_what_is_called_differs_in_nothing() {
        let statements = json!([
            rows(json!(["LOG#*", "KEY#a"])),
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": { "Fn::Sub": "${Bucket.Arn}/a/*/b/*" } },
            { "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": { "Fn::GetAtt": ["Key", "Arn"] } },
            { "Effect": "Allow", "Action": "put", "Resource": { "Fn::Sub": "arn:${Region}:stream/${Id}-events" } },
            { "Effect": "Allow", "Action": "sign", "Resource": [
                { "Fn::If": ["Rotated", { "Ref": "Other" }, { "Fn::GetAtt": ["Signing", "Arn"] }] },
                { "Fn::If": ["Rotated", { "Ref": "Other" }, { "Ref": "AWS::NoValue" }] }] },
        ]);
        let touched = [
            ("dynamodb:Query", "Table", "LOG#*"),
            ("dynamodb:Query", "Table", "KEY#a"),
            ("s3:PutObject", "Bucket", "a/x/y/b/c"),
            ("put", "Stream", ""),
            ("sign", "Signing", ""),
        ];
        assert_eq!(differing(statements, &touched), [""; 0]);
    }

    #[test]
    fn a_call_that_the_role_does_not_allow_is_told_with_its_key() {
        let touched = [("dynamodb:Query", "Table", "LOG#*"), ("dynamodb:GetItem", "Table", "LOG#*")];
        let expected = ["copy calls dynamodb:GetItem on Table LOG#*, which CopyRole does not allow"];
        assert_eq!(differing(json!([rows(json!("LOG#*"))]), &touched), expected);
        let expected = [
            "copy calls kms:GenerateDataKey on Key , which CopyRole does not allow",
            "copy calls s3:PutObject on Bucket a/b, which CopyRole does not allow",
        ];
        assert_eq!(differing(json!([]), &[("s3:PutObject", "Bucket", "a/b")]), expected);
    }

    #[test]
    fn an_allowance_that_nothing_needs_is_told_by_itself() {
        let expected = ["CopyRole allows dynamodb:Query on Table OWN#*, which no test of copy calls"];
        assert_eq!(
            differing(json!([rows(json!(["LOG#*", "OWN#*"]))]), &[("dynamodb:Query", "Table", "LOG#*")]),
            expected
        );
        let statement =
            json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": { "Fn::Sub": "${Bucket.Arn}/a/*" } });
        let expected = ["CopyRole allows s3:GetObject on Bucket a/*, which no test of copy calls"];
        assert_eq!(differing(json!([statement]), &[]), expected);
    }
}
