"""Recomputes a log's root from its locked segments with boto3, gzip and hashlib alone, and compares it with the head.

Usage: python recompute_root.py STACK.JSON [--org ORG] [--send N]

Nothing of Ledgerline is imported: this is what an auditor's engineer would write from the published layout. With --send it
first puts N events into the delivery stream and waits until they are in the ledger. Exit code: 0 equal, 1 not, 2 could
not check.
"""

import argparse
import gzip
import hashlib
import json
import sys
import time
import uuid

import boto3

WAIT_SECONDS = 180


def leaf_hash(line: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + line).digest()


def tree_hash(leaves: list) -> bytes:
    """RFC 6962, section 2.1: the Merkle tree hash of a list of leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = leaves
    # Pairing level by level and carrying an odd node up unchanged equals the recursive definition.
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def event(org: str, conversation: str, n: int) -> bytes:
    """One Genesys acd.end event in its EventBridge envelope."""
    now_ms = int(time.time() * 1000) + n
    body = {
        "eventTime": now_ms,
        "conversationId": conversation,
        "participantId": str(uuid.uuid4()),
        "sessionId": str(uuid.uuid4()),
        "mediaType": "VOICE",
        "direction": "INBOUND",
        "ani": "tel:+13175550142",
        "dnis": "tel:+13175550100",
        "acdOutcome": "ANSWERED",
        "connectedDurationMs": 1000 + n,
    }
    return json.dumps({
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "v2.detail.events.conversation.{id}.acd.end",
        "source": f"aws.partner/genesys.com/cloud/{org}/recompute",
        "account": "123456789012",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "topicName": f"v2.detail.events.conversation.{conversation}.acd.end",
            "version": "2",
            "eventBody": body,
            "metadata": {"CorrelationId": str(uuid.uuid4())},
        },
    }).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack")
    parser.add_argument("--org", default="recompute-root")
    parser.add_argument("--send", type=int, default=0)
    options = parser.parse_args()
    with open(options.stack, encoding="utf-8") as file:
        stack = json.load(file)
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=stack["region"])
    client = lambda service: session.client(service, endpoint_url=stack["endpoint"])
    s3, dynamodb, firehose = client("s3"), client("dynamodb"), client("firehose")
    bucket, control = stack["buckets"]["LedgerBucket"], stack["tables"]["ControlTable"]
    log = f"{options.org}/interaction/1/0"

    def head():
        item = dynamodb.get_item(TableName=control, Key={"pk": {"S": f"LOG#{log}"}, "sk": {"S": "HEAD"}}, ConsistentRead=True)
        return item.get("Item")

    if options.send:
        before = int(head()["size"]["N"]) if head() else 0
        conversation = str(uuid.uuid4())
        records = [{"Data": event(options.org, conversation, n)} for n in range(options.send)]
        stream = next(iter(stack["streams"].values()))
        answer = firehose.put_record_batch(DeliveryStreamName=stream, Records=records)
        if answer["FailedPutCount"]:
            print(f"error: the stream refused {answer['FailedPutCount']} records", file=sys.stderr)
            return 2
        deadline = time.monotonic() + WAIT_SECONDS
        while not head() or int(head()["size"]["N"]) < before + options.send:
            if time.monotonic() > deadline:
                print(f"error: {options.send} events sent, none committed in {WAIT_SECONDS} s: is the stack healthy?", file=sys.stderr)
                return 2
            time.sleep(0.2)

    item = head()
    if not item:
        print(f"error: no head for log {log}: send events first (--send N)", file=sys.stderr)
        return 2
    size, root = int(item["size"]["N"]), item["root"]["B"]

    # Segment names carry their first index in 20 digits, so the listing is in order. An orphan (put, never committed)
    # would overlap: the chain of first + count decides.
    leaves, locked = [], 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"ledger/{log}/segment/")
    for object_ in (o for page in pages for o in page.get("Contents", [])):
        first, count, digest = object_["Key"].rsplit("/", 1)[1].removesuffix(".jsonl.gz").split("-")
        if int(first) != len(leaves) or len(leaves) >= size:
            continue
        answer = s3.get_object(Bucket=bucket, Key=object_["Key"])
        body = answer["Body"].read()
        lines = gzip.decompress(body).splitlines()
        if hashlib.sha256(body).hexdigest()[:16] != digest or len(lines) != int(count):
            print(f"BROKEN {object_['Key']}: the bytes do not fit the name", file=sys.stderr)
            return 1
        retention = s3.get_object_retention(Bucket=bucket, Key=object_["Key"], VersionId=answer["VersionId"])["Retention"]
        locked += retention["Mode"] in ("GOVERNANCE", "COMPLIANCE")
        print(f"{object_['Key']}  {count} entries, {retention['Mode']} until {retention['RetainUntilDate']:%Y-%m-%d}")
        leaves += [leaf_hash(line) for line in lines]

    computed = tree_hash(leaves)
    same = len(leaves) == size and computed == root
    print(f"entries   {len(leaves)} read, {size} in the head")
    print(f"computed  {computed.hex()}")
    print(f"head      {root.hex()}")
    print("EQUAL" if same else "NOT EQUAL")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
