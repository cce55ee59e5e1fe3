"""Deploys infra/template.yaml into the running emulator through a change set, mends what did not take, writes stack.json.

Run by `cargo xtask up` inside its virtual environment; running it again updates the stack. The template is deployed as it is:
only CodeUri is pointed at the built functions, as `sam package` does. What the emulator leaves undone is done here, by the same
public APIs that anybody would use, never in the product.
"""

import argparse
import hashlib
import io
import json
import pathlib
import re
import sys
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import capture
import issuer

STACK = "ledgerline-local"
ARTIFACTS = "ledgerline-local-artifacts"
# What a laptop needs; everything else is the template's default.
PARAMETERS = {
    "DeploymentId": "local",
    "Architecture": "x86_64",
    "RedriveDelaySeconds": "2",
    "ErasureCoolingHours": "0",
    # Few enough that a test can go beyond them.
    "CaptureRequestsPerSecond": "20",
    "CaptureBurst": "40",
}
SECTIONS = {
    "AWS::KinesisFirehose::DeliveryStream": "streams",
    "AWS::S3::Bucket": "buckets",
    "AWS::DynamoDB::Table": "tables",
    "AWS::SQS::Queue": "queues",
    "AWS::Lambda::Function": "functions",
}
CHANGE_SET_SECONDS = 120


class Failure(Exception):
    """A cause that a person can act upon."""


def main():
    arguments = argparse.ArgumentParser()
    for name in ("endpoint", "region", "pid", "template", "functions", "out"):
        arguments.add_argument("--" + name, required=True)
    arguments = arguments.parse_args()
    try:
        deploy(arguments)
    except (Failure, ClientError) as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)


def deploy(arguments):
    def client(service):
        return boto3.client(
            service,
            endpoint_url=arguments.endpoint,
            region_name=arguments.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    template = package(client("s3"), arguments)
    key = issuer.load_key(pathlib.Path(arguments.out).parent)
    senders = capture.load(pathlib.Path(arguments.out).parent)
    PARAMETERS.update(CaptureClients=capture.clients(senders))
    PARAMETERS.update(TokenIssuer=issuer.ISSUER, TokenAudience=issuer.AUDIENCE, TokenJwks=issuer.jwks(key))
    resources = apply_change_set(client("cloudformation"), client("s3"), template)
    mend_object_lock(client("s3"), resources)
    mend_encryption(client("s3"), resources)
    mend_tables(client("dynamodb"), resources)
    sweep_once(client("lambda"), resources)
    stack = describe(client, arguments, resources) | issued(key, arguments) | {"capture": senders}
    partial = pathlib.Path(arguments.out + ".partial")
    partial.write_text(json.dumps(stack, indent=2) + "\n")
    partial.replace(arguments.out)


def package(s3, arguments):
    """Uploads each function's binary under the name of its content and returns the template that points there."""
    try:
        s3.create_bucket(Bucket=ARTIFACTS)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise

    def upload(match):
        binary = pathlib.Path(arguments.functions, match["function"])
        if not binary.exists():
            raise Failure(f"{binary} is missing: `cargo xtask up` builds it")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
            entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            opened.writestr(entry, binary.read_bytes())
        key = f"{match['function']}-{hashlib.sha256(archive.getvalue()).hexdigest()[:16]}.zip"
        s3.put_object(Bucket=ARTIFACTS, Key=key, Body=archive.getvalue())
        return f"CodeUri: s3://{ARTIFACTS}/{key}"

    text = pathlib.Path(arguments.template).read_text()
    packaged, count = re.subn(r"CodeUri: \.\./functions/(?P<function>[a-z-]+)", upload, text)
    if count == 0:
        raise Failure("the template names no function's CodeUri")
    return packaged


def apply_change_set(cloudformation, s3, template):
    """Creates or updates the stack; returns logical id -> (type, physical id)."""
    key = "template-" + hashlib.sha256(template.encode()).hexdigest()[:16] + ".yaml"
    s3.put_object(Bucket=ARTIFACTS, Key=key, Body=template.encode())
    exists = stack_status(cloudformation) is not None
    name = "deploy-" + str(time.time_ns())
    cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName=name,
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateURL=f"{s3.meta.endpoint_url}/{ARTIFACTS}/{key}",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in PARAMETERS.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    change_set = poll(
        lambda: cloudformation.describe_change_set(StackName=STACK, ChangeSetName=name),
        lambda answer: answer["Status"].endswith(("COMPLETE", "FAILED")),
    )
    if change_set["Status"] == "FAILED":
        reason = change_set.get("StatusReason", "")
        if not re.search("no changes|No updates|didn't contain changes", reason, re.IGNORECASE):
            raise Failure("the emulator refused the change set: " + reason)
    else:
        cloudformation.execute_change_set(StackName=STACK, ChangeSetName=name)
        status = poll(lambda: stack_status(cloudformation), lambda s: not s.endswith("IN_PROGRESS"))
        if not status.endswith("COMPLETE") or "ROLLBACK" in status:
            raise Failure(f"the stack is {status}:\n" + "\n".join(failed_events(cloudformation)))
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {
        r["LogicalResourceId"]: (r["ResourceType"], r["PhysicalResourceId"])
        for page in pages
        for r in page["StackResourceSummaries"]
    }


def sweep_once(functions, resources):
    """Runs the sweep once: until its schedule's first minute is over, transform would have no month's key to seal to, and access
    answers could not say as of when they are."""
    answer = functions.invoke(FunctionName=resources["SweepFunction"][1], Payload=b"{}")
    if answer.get("FunctionError"):
        raise Failure("the first sweep failed: " + answer["Payload"].read().decode())


def stack_status(cloudformation):
    try:
        status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None
    return None if status == "REVIEW_IN_PROGRESS" else status


def failed_events(cloudformation):
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    return [
        f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}"
        for e in reversed(events)
        if e["ResourceStatus"].endswith("FAILED")
    ]


def poll(ask, done):
    deadline = time.monotonic() + CHANGE_SET_SECONDS
    while True:
        answer = ask()
        if answer is not None and done(answer):
            return answer
        if time.monotonic() > deadline:
            raise Failure("CloudFormation did not finish; see the emulator's log")
        time.sleep(0.1)


def mend_object_lock(s3, resources):
    """The emulator ignores ObjectLockEnabled in a template."""
    bucket = resources["LedgerBucket"][1]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def mend_encryption(s3, resources):
    """The emulator ignores BucketEncryption in a template."""
    rules = {"BronzeBucket": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": resources["BronzeKey"][1]}}
    for logical, (kind, bucket) in resources.items():
        if kind == "AWS::S3::Bucket":
            rule = {"ApplyServerSideEncryptionByDefault": rules.get(logical, {"SSEAlgorithm": "AES256"})}
            rule["BucketKeyEnabled"] = logical in rules
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def mend_tables(dynamodb, resources):
    """The emulator ignores TimeToLiveSpecification and PointInTimeRecoverySpecification in a template."""
    for logical in ("ControlTable", "IndexTable"):
        table = resources[logical][1]
        status = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
        if status != "ENABLED":
            dynamodb.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True}
            )
    for logical, days in (("ControlTable", 35), ("KeysTable", 1)):
        dynamodb.update_continuous_backups(
            TableName=resources[logical][1],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days},
        )


def issued(key, arguments):
    """Ready tokens, and what makes others: tests need tokens that do not hold."""
    now = int(time.time())
    key_file = pathlib.Path(arguments.out).with_name(issuer.KEY_FILE)
    named = {"name": issuer.ISSUER, "audience": issuer.AUDIENCE, "keyId": issuer.KEY_ID, "keyFile": str(key_file.resolve())}
    return {"tokens": issuer.tokens(key, now), "tokensUntil": now + issuer.LIFE_SECONDS, "issuer": named}


def describe(client, arguments, resources):
    stack = {"endpoint": arguments.endpoint, "region": arguments.region, "pid": int(arguments.pid)}
    api = next(physical for kind, physical in resources.values() if kind == "AWS::ApiGateway::RestApi")
    stage = next(physical for kind, physical in resources.values() if kind == "AWS::ApiGateway::Stage")
    stack["apiUrl"] = f"{arguments.endpoint}/restapis/{api}/{stage}/_user_request_"

    def key(logical):
        return client("apigateway").get_api_key(apiKey=resources[logical][1], includeValue=True)["value"]

    stack["apiKey"] = key("ApiKey")
    stack["apiKeys"] = {"analyst": key("AnalystApiKey")}
    stack.update({section: {} for section in SECTIONS.values()})
    for logical, (kind, physical) in sorted(resources.items()):
        if kind in SECTIONS:
            stack[SECTIONS[kind]][logical] = physical
    return stack


if __name__ == "__main__":
    main()
