//! What a new AWS account would refuse, or regret: the template as SAM translates it, its `Rules` evaluated, and `samconfig.toml`.
//! `template.rs` reads the template's own text instead.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::OnceLock;

use ledgerline_lambda::routes::{OPEN, ROUTES};
use serde_json::{Map, Value, json};
use xtask::paths;
use xtask::tools::{self, Venv};

/// What Lambda grants a new account, whatever its documented limit is.
const MEMORY_OF_NEW_ACCOUNTS_MB: u64 = 3_008;
/// What holds data or opens them. Each is kept when the stack goes.
const KEPT: [&str; 4] = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::KMS::Alias"];
/// What is kept also by a first deployment that fails: the account's setting names it, and it has no name to block a second one.
const KEPT_ALWAYS: [&str; 2] = ["ApiLogAccount", "ApiLogRole"];

fn deployed() -> &'static Value {
    static DEPLOYED: OnceLock<Value> = OnceLock::new();
    DEPLOYED.get_or_init(|| {
        let mut translate = Venv::lint().unwrap().command("python");
        translate.arg(paths::infra("local/translate.py")).arg(paths::infra(""));
        let output = tools::run(&mut translate, || "mend the template".to_owned()).unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    })
}

fn section(name: &str) -> &'static Map<String, Value> {
    deployed()["template"][name].as_object().unwrap()
}

/// The resources of a type, by logical id; there is one at least.
fn of_type(kind: &str) -> BTreeMap<&'static str, &'static Value> {
    let all = section("Resources").iter().filter(|(_, resource)| resource["Type"] == kind);
    let found: BTreeMap<&str, &Value> = all.map(|(id, resource)| (id.as_str(), resource)).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn defaults() -> BTreeMap<&'static str, String> {
    let parameters = section("Parameters").iter();
    parameters.filter_map(|(name, parameter)| Some((name.as_str(), text(parameter.get("Default")?)))).collect()
}

/// A number is its digits: CloudFormation compares strings.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A condition of a rule, as CloudFormation evaluates it.
fn holds(condition: &Value, parameters: &BTreeMap<&str, String>) -> bool {
    let (function, argument) = condition.as_object().unwrap().iter().next().unwrap();
    let arguments = argument.as_array().unwrap();
    let value =
        |one: &Value| one.get("Ref").map_or_else(|| text(one), |name| parameters[name.as_str().unwrap()].clone());
    match function.as_str() {
        "Fn::Not" => !holds(&arguments[0], parameters),
        "Fn::And" => arguments.iter().all(|one| holds(one, parameters)),
        "Fn::Equals" => value(&arguments[0]) == value(&arguments[1]),
        "Fn::Contains" => arguments[0].as_array().unwrap().iter().any(|one| value(one) == value(&arguments[1])),
        other => panic!("{other}: teach it to this test"),
    }
}

/// Whether the template's rules let a deployment with these parameters pass, others being the defaults.
fn accepted(given: &[(&'static str, &str)]) -> bool {
    let mut parameters = defaults();
    parameters.extend(given.iter().map(|(name, value)| (*name, (*value).to_owned())));
    section("Rules").values().all(|rule| {
        let applies = rule.get("RuleCondition").is_none_or(|condition| holds(condition, &parameters));
        let mut assertions = rule["Assertions"].as_array().unwrap().iter();
        !applies || assertions.all(|one| holds(&one["Assert"], &parameters))
    })
}

#[test]
fn no_function_asks_for_more_memory_than_a_new_account_has() {
    for (id, function) in of_type("AWS::Lambda::Function") {
        let memory_mb = function["Properties"]["MemorySize"].as_u64();
        assert!(memory_mb.is_some_and(|asked| asked <= MEMORY_OF_NEW_ACCOUNTS_MB), "{id}: {memory_mb:?} MB");
    }
}

#[test]
fn what_is_kept_is_in_no_second_deployments_way() {
    for (id, resource) in section("Resources") {
        let kept = KEPT.contains(&resource["Type"].as_str().unwrap());
        let wanted = match resource.get("DeletionPolicy") {
            _ if kept => "RetainExceptOnCreate",
            _ if KEPT_ALWAYS.contains(&id.as_str()) => "Retain",
            None => continue,
            Some(other) => panic!("{id}: {other}: if it is kept it belongs into KEPT"),
        };
        assert_eq!(resource["DeletionPolicy"], wanted, "{id}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
    }
}

/// The sweep's first run fills a bucket, and CloudFormation deletes only an empty one.
#[test]
fn nothing_writes_before_all_that_can_fail_is_made() {
    let after = section("Resources")["SweepFunction"]["DependsOn"].as_array().unwrap();
    let mappings = of_type("AWS::Lambda::EventSourceMapping").into_keys();
    for id in mappings.chain(["EventStream", "ApiUsagePlanKey"]) {
        assert!(after.contains(&json!(id)), "{id}");
    }
}

#[test]
fn a_kept_key_is_found_again() {
    let aliases = of_type("AWS::KMS::Alias");
    for (id, key) in of_type("AWS::KMS::Key") {
        let named = aliases.values().any(|alias| alias["Properties"]["TargetKeyId"] == json!({ "Ref": id }));
        assert!(named, "{id} has no alias");
        assert!(is_tagged(key), "{id} has no tag");
    }
}

fn is_tagged(resource: &Value) -> bool {
    let deployment = json!({ "Key": "ledgerline:deployment", "Value": { "Ref": "DeploymentId" } });
    resource["Properties"]["Tags"].as_array().is_some_and(|tags| tags.contains(&deployment))
}

#[test]
fn every_role_takes_an_organisations_boundary_and_path() {
    let boundary = json!({ "Fn::If": ["HasBoundary", { "Ref": "PermissionsBoundaryArn" }, { "Ref": "AWS::NoValue" }] });
    for (id, role) in of_type("AWS::IAM::Role") {
        assert_eq!(role["Properties"]["PermissionsBoundary"], boundary, "{id}");
        assert_eq!(role["Properties"]["Path"], json!({ "Ref": "RolePath" }), "{id}");
        assert!(is_tagged(role), "{id} has no tag");
    }
    assert_eq!((defaults()["PermissionsBoundaryArn"].as_str(), defaults()["RolePath"].as_str()), ("", "/"));
}

#[test]
fn trust_hangs_on_no_condition_that_aws_does_not_document() {
    let of_firehose = &of_type("AWS::IAM::Role")["StreamRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    let of_key = &of_type("AWS::KMS::Key")["BronzeKey"]["Properties"]["KeyPolicy"]["Statement"];
    for (statements, service) in [(of_firehose, "firehose.amazonaws.com"), (of_key, "events.amazonaws.com")] {
        let of_service = |one: &&Value| one["Principal"]["Service"] == service;
        let statement = statements.as_array().unwrap().iter().find(of_service).unwrap();
        assert_eq!(statement.get("Condition"), None, "{service}");
    }
}

#[test]
fn the_api_has_one_stage_and_no_old_tls() {
    let stages: Vec<&Value> = of_type("AWS::ApiGateway::Stage").into_values().collect();
    assert_eq!(stages.iter().map(|stage| &stage["Properties"]["StageName"]).collect::<Vec<_>>(), ["live"]);
    for deployment in of_type("AWS::ApiGateway::Deployment").values() {
        // A deployment that names a stage makes it.
        assert_eq!(deployment["Properties"].get("StageName"), None);
    }
    for api in of_type("AWS::ApiGateway::RestApi").values() {
        assert_eq!(api["Properties"]["SecurityPolicy"], "TLS_1_2");
    }
}

/// The methods of the API as SAM writes them: (HTTP method, path, what stands before it).
fn methods() -> Vec<(String, String, &'static Value)> {
    let mut found = Vec::new();
    for api in of_type("AWS::ApiGateway::RestApi").values() {
        for (path, methods) in api["Properties"]["Body"]["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                found.push((method.to_uppercase(), path.clone(), &operation["security"]));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn before_every_method_stand_the_authorizer_with_its_scopes_and_the_key() {
    let known: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    let mut closed = BTreeSet::new();
    let open: BTreeSet<(String, String)> =
        OPEN.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    let mut seen = BTreeSet::new();
    for (method, path, security) in methods() {
        if open.contains(&(method.clone(), path.clone())) {
            // Neither key nor authorizer: the function checks its own clients.
            assert_eq!(security, &json!([]), "{method} {path}");
            seen.insert((method, path));
            continue;
        }
        assert_eq!(security, &json!([{ "Bearer": [] }, { "api_key": [] }]), "{method} {path}");
        closed.insert((method, path));
    }
    assert_eq!((closed, seen), (known, open), "the tables of shared/lambda and the template differ");
}

#[test]
fn no_answer_of_the_authorizer_is_kept_for_another_request() {
    for api in of_type("AWS::ApiGateway::RestApi").values() {
        let bearer = &api["Properties"]["Body"]["components"]["securitySchemes"]["Bearer"];
        let authorizer = &bearer["x-amazon-apigateway-authorizer"];
        assert_eq!((&authorizer["type"], &authorizer["authorizerResultTtlInSeconds"]), (&json!("request"), &json!(0)));
        // A header that API Gateway itself asks for would be missing from the authorizer's log.
        assert_eq!(authorizer.get("identitySource"), None);
    }
}

#[test]
fn what_api_gateway_answers_itself_is_a_problem_document() {
    for api in of_type("AWS::ApiGateway::RestApi").values() {
        let all = api["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"].as_object().unwrap();
        for kind in [
            "UNAUTHORIZED",
            "ACCESS_DENIED",
            "THROTTLED",
            "QUOTA_EXCEEDED",
            "AUTHORIZER_FAILURE",
            "DEFAULT_4XX",
            "DEFAULT_5XX",
        ] {
            assert!(all.contains_key(kind), "{kind}");
        }
        for (kind, response) in all {
            let templates = response["responseTemplates"].as_object().unwrap();
            assert_eq!(templates.len(), 1, "{kind}: which one is sent depends on what the caller accepts");
            let problem: Value = serde_json::from_str(templates["application/json"].as_str().unwrap()).unwrap();
            assert_eq!(problem["instance"], "urn:ledgerline:request:$context.requestId", "{kind}");
            assert!(problem["type"].as_str().unwrap().starts_with("urn:ledgerline:problem:"), "{kind}");
            assert!(problem["title"].is_string() && problem["detail"].is_string(), "{kind}");
            let status = response.get("statusCode").map(|status| status.as_str().unwrap().parse::<u64>().unwrap());
            assert_eq!(problem.get("status").map(|status| status.as_u64().unwrap()), status, "{kind}");
            let headers = &response["responseParameters"];
            assert_eq!(headers["gatewayresponse.header.Content-Type"], "'application/problem+json'", "{kind}");
            let retry = headers.get("gatewayresponse.header.Retry-After");
            assert_eq!(retry.is_some(), matches!(status, Some(429 | 503)), "{kind}");
        }
        assert_eq!(all["UNAUTHORIZED"]["responseParameters"]["gatewayresponse.header.WWW-Authenticate"], "'Bearer'");
    }
}

#[test]
fn an_issuer_is_given_whole_or_not_at_all() {
    let (issuer, audience) = (("TokenIssuer", "https://id.example"), ("TokenAudience", "ledgerline"));
    let (url, keys) = (("TokenJwksUrl", "https://id.example/keys"), ("TokenJwks", "{}"));
    assert!(accepted(&[issuer, audience, url]) && accepted(&[issuer, audience, keys]));
    for partly in [&[issuer, audience][..], &[issuer, url], &[audience, url], &[url], &[issuer, audience, url, keys]] {
        assert!(!accepted(partly), "{partly:?}");
    }
}

#[test]
fn the_rules_refuse_exactly_what_cannot_be_meant_or_deployed() {
    let days = |name: &str| -> Vec<u64> {
        let allowed = section("Parameters")[name]["AllowedValues"].as_array().unwrap();
        allowed.iter().map(|value| value.as_u64().unwrap()).collect()
    };
    for glacier in days("BronzeGlacierDays") {
        for expire in days("BronzeExpireDays") {
            let given = [("BronzeGlacierDays", &*glacier.to_string()), ("BronzeExpireDays", &*expire.to_string())];
            // S3: "must be greater than"; without a transition there is nothing to be greater than.
            assert_eq!(accepted(&given), glacier == 0 || expire > glacier, "{given:?}");
        }
    }
    assert!(accepted(&[]), "the defaults");
    assert!(!accepted(&[("LockMode", "COMPLIANCE"), ("ComplianceConfirmation", "yes")]));
    let words = "I understand that nobody can undo this";
    assert!(accepted(&[("LockMode", "COMPLIANCE"), ("ComplianceConfirmation", words)]));
}

#[test]
fn s3_takes_the_lifecycles_and_the_ledger_stays_where_it_is_cheap_to_read() {
    let rules = &of_type("AWS::S3::Bucket")["LedgerBucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
    let rules = rules.as_array().unwrap();
    let clears: Vec<&Value> = rules.iter().filter(|rule| rule["ExpiredObjectDeleteMarker"] == true).collect();
    assert_eq!(clears.len(), 1, "delete markers pile up");
    let (tags, days) = (clears[0].get("TagFilters"), clears[0].get("ExpirationInDays"));
    assert_eq!((tags, days), (None, None), "S3 refuses both beside ExpiredObjectDeleteMarker");
    for rule in rules.iter().filter(|rule| rule.to_string().contains("GLACIER_IR")) {
        assert_eq!(rule["Fn::If"][0], "LedgerMovesToGlacier");
        assert_eq!(rule["Fn::If"][2], json!({ "Ref": "AWS::NoValue" }));
    }
    let off = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "LedgerGlacierDays" }, 0] }] });
    assert_eq!(section("Conditions")["LedgerMovesToGlacier"], off);
    assert_eq!(defaults()["LedgerGlacierDays"], "0");
}

/// An alarm that waits for something to happen must not ring before it was due, and must ring once it stays away.
#[test]
fn no_alarm_rings_because_the_first_look_is_still_to_come() {
    // Metrics into which the sweep's minutely line writes a zero: from then on silence is data.
    let zeros: BTreeSet<String> = of_type("AWS::Logs::MetricFilter")
        .values()
        .filter(|filter| filter["Properties"]["LogGroupName"] == json!({ "Ref": "SweepLogs" }))
        .flat_map(|filter| filter["Properties"]["MetricTransformations"].as_array().unwrap())
        .filter(|made| made["MetricValue"] == "0")
        .map(|made| made["MetricName"].to_string())
        .collect();
    let mut waiting = 0;
    for (id, alarm) in of_type("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        assert_ne!(alarm["TreatMissingData"], "breaching", "{id} rings after every first deployment");
        // Firehose's rates of success are less than one where something failed, and absent where nothing was sent.
        let waits = alarm["ComparisonOperator"] == "LessThanThreshold" && alarm["Namespace"] != "AWS/Firehose";
        if waits {
            waiting += 1;
            let counts_zeros =
                alarm["TreatMissingData"] == "ignore" && zeros.contains(&alarm["MetricName"].to_string());
            let rings_on_absence =
                alarm["TreatMissingData"] == "missing" && alarm["InsufficientDataActions"].is_object();
            assert!(counts_zeros || rings_on_absence, "{id} would never ring");
        }
    }
    assert_eq!(waiting, 3, "verified, verified whole, swept");
}

#[test]
fn a_configuration_builds_what_it_deploys() {
    let known = section("Parameters");
    let configurations = deployed()["configurations"].as_object().unwrap();
    let deploying: Vec<&String> =
        configurations.iter().filter(|(_, one)| one.get("deploy").is_some()).map(|(name, _)| name).collect();
    assert_eq!(deploying, ["prod", "trial"]);
    for name in deploying {
        let of = |command: &str| &configurations[name][command]["parameters"];
        for command in ["build", "deploy"] {
            assert_eq!(of(command).get("parameter_overrides"), None, "{name}: they stand once, under global");
        }
        let directory = of("build")["build_dir"].as_str().unwrap();
        assert!(directory.contains(name.as_str()), "{name}: no other configuration's build");
        assert_eq!(of("deploy")["template_file"], format!("{directory}/template.yaml"), "{name}");
        let overrides = of("global")["parameter_overrides"].as_array().unwrap();
        let given: BTreeMap<&str, &str> =
            overrides.iter().map(|one| one.as_str().unwrap().split_once('=').unwrap()).collect();
        assert!(given.keys().all(|parameter| known.contains_key(*parameter)), "{name}: {given:?}");
        let architectures = known["Architecture"]["AllowedValues"].as_array().unwrap();
        assert!(architectures.contains(&json!(given["Architecture"])), "{name}");
    }
}

#[test]
fn every_parameter_is_explained() {
    let readme = fs::read_to_string(paths::infra("README.md")).unwrap();
    for parameter in section("Parameters").keys() {
        assert!(readme.contains(&format!("`{parameter}`")), "{parameter}");
    }
}
