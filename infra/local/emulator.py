"""Starts the AWS emulator with its Firehose mended. Nothing here is deployed anywhere.

MiniStack 1.5.33 delivers every record at once and alone, ignores CompressionFormat, lets records pass raw when the
transformation fails and drops what it answers with ProcessingFailed. Real Firehose gathers, transforms in batches, writes one
object per partition, and keeps what failed under the error prefix. `Delivery` does that, by the public APIs of the emulator
only; README.md beside this file lists what differs from AWS even so.

Takes its settings from the environment that `cargo xtask up` prepares: BIND_HOST, GATEWAY_PORT, AWS_ENDPOINT_URL.
"""

import base64
import gzip
import json
import os
import threading
import time
import uuid
from collections import deque

import boto3
from botocore.config import Config
from ministack.services import apigateway_v1, firehose, s3
from ministack.services.cloudformation import provisioners

import conditions

# How long records gather before they are delivered. AWS's least is a minute; nobody waits a minute on a laptop.
GATHER_SECONDS = 1.0
# Firehose calls the transformation again that often before it gives a batch up, whatever the template says it is three.
TRANSFORM_ATTEMPTS = 4
RETRY_PAUSE_SECONDS = 0.2
# The tag under which ListTagsForDeliveryStream tells how many records are not delivered yet.
PENDING_TAG = "local:pending"


class Delivery:
    """One delivery stream's buffer and the thread that empties it."""

    def __init__(self, stream, dest):
        self.stream = stream
        self.dest = dest
        self.lock = threading.Lock()
        self.queue = deque()
        self.pending = 0
        self.wake = threading.Event()
        settings = Config(retries={"max_attempts": 1}, read_timeout=300, s3={"addressing_style": "path"})
        # As in AWS, the template's role decides whether a record can be transformed and delivered.
        role = conditions.role_session(dest["config"]["RoleARN"], "firehose")
        clients = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "config": settings} | role
        self.lambda_client = boto3.client("lambda", **clients)
        self.s3_client = boto3.client("s3", **clients)
        threading.Thread(target=self.run, daemon=True, name="firehose-" + stream["name"]).start()

    def accept(self, records):
        arrived_ms = int(time.time() * 1000)
        with self.lock:
            self.queue.extend((record_id, data, arrived_ms) for record_id, data in records)
            self.pending += len(records)
        self.wake.set()

    def run(self):
        while True:
            self.wake.wait()
            time.sleep(GATHER_SECONDS)
            self.wake.clear()
            with self.lock:
                gathered = list(self.queue)
                self.queue.clear()
            try:
                self.deliver(gathered)
            except Exception as error:  # the thread must live; the record ids are enough to find what was lost
                firehose.logger.error("delivery of %d records failed: %s", len(gathered), error)
            finally:
                with self.lock:
                    self.pending -= len(gathered)

    def deliver(self, records):
        config = self.dest["config"]
        objects = {}  # prefix -> bytes of one object
        failed = []
        for batch in batches(records, transform_bytes(config)):
            for record, answer, error in self.transform(config, batch):
                if error is None and answer["result"] == "Dropped":
                    continue
                if error is None and answer["result"] == "ProcessingFailed":
                    error = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record.")
                if error is not None:
                    failed.append((record, error))
                    continue
                keys = (answer.get("metadata") or {}).get("partitionKeys") or {}
                try:
                    # The empty timestamp keeps MiniStack from adding the hour of arrival: with partition keys AWS adds none.
                    prefix = firehose._evaluate_prefix(config["Prefix"] + "!{timestamp:}", time.gmtime(), None, keys)
                except firehose._DeliveryError as missing:
                    failed.append((record, ("DynamicPartitioning.MetadataExtractionFailed", missing.message)))
                    continue
                objects.setdefault(prefix, []).append(base64.b64decode(answer["data"]))
        for prefix, parts in objects.items():
            self.put(config, prefix, b"".join(parts))
        if failed:
            lines = b"".join(error_line(config, record, error) for record, error in failed)
            prefix = firehose._evaluate_prefix(config["ErrorOutputPrefix"], time.gmtime(), error_type="processing-failed")
            # Compressed like everything else; a reader goes by the first bytes, as AWS does not promise either way.
            self.put(config, prefix, lines)

    def transform(self, config, batch):
        """Yields (record, answer, error) for every record of the batch."""
        arn = processor_parameter(config, "LambdaArn", "")
        event = {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": self.stream["arn"],
            "region": os.environ["AWS_DEFAULT_REGION"],
            "records": [
                {"recordId": record_id, "approximateArrivalTimestamp": arrived_ms, "data": base64.b64encode(data).decode()}
                for record_id, data, arrived_ms in batch
            ],
        }
        error = None
        for attempt in range(TRANSFORM_ATTEMPTS):
            if attempt:
                time.sleep(RETRY_PAUSE_SECONDS)
            try:
                answer = self.lambda_client.invoke(FunctionName=arn, Payload=json.dumps(event))
                body = json.loads(answer["Payload"].read())
                if answer.get("FunctionError"):
                    error = ("Lambda.FunctionError", str(body.get("errorMessage", "")))
                    continue
                answers = {}
                for one in body["records"]:
                    if one["recordId"] in answers:
                        raise ValueError("the transformation answered a record twice")
                    answers[one["recordId"]] = one
                missing = ("Lambda.MissingRecordId", "The transformation did not answer this record.")
                for record in batch:
                    one = answers.get(record[0])
                    yield record, one, None if one else missing
                return
            except Exception as problem:
                error = ("Lambda.InvokeFailed", str(problem))
        for record in batch:
            yield record, None, error

    def put(self, config, prefix, body):
        name = "{}-1-{}-{}".format(self.stream["name"], time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime()), uuid.uuid4())
        if config.get("CompressionFormat") == "GZIP":
            name += ".gz"
            body = gzip.compress(body, mtime=0)
        bucket = config["BucketARN"].rsplit(":", 1)[-1]
        self.s3_client.put_object(Bucket=bucket, Key=prefix + name, Body=body)


def batches(records, limit_bytes):
    """Cuts the records where the transformation's buffer would be full; a batch holds at least one record."""
    batch, size = [], 0
    for record in records:
        if batch and size + len(record[1]) > limit_bytes:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record[1])
    if batch:
        yield batch


def processor_parameter(config, name, default):
    for processor in (config.get("ProcessingConfiguration") or {}).get("Processors") or []:
        for parameter in processor.get("Parameters") or []:
            if processor.get("Type") == "Lambda" and parameter.get("ParameterName") == name:
                return parameter["ParameterValue"]
    return default


def transform_bytes(config):
    return int(float(processor_parameter(config, "BufferSizeInMBs", "1")) * 1024 * 1024)


def error_line(config, record, error):
    record_id, data, arrived_ms = record
    code, message = error
    line = {
        "attemptsMade": TRANSFORM_ATTEMPTS if code in ("Lambda.FunctionError", "Lambda.InvokeFailed") else 1,
        "arrivalTimestamp": arrived_ms,
        "errorCode": code,
        "errorMessage": message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(data).decode(),
        "lambdaArn": processor_parameter(config, "LambdaArn", ""),
    }
    return (json.dumps(line) + "\n").encode()


_deliveries = {}
_deliveries_lock = threading.Lock()


def delivery_of(stream, dest):
    with _deliveries_lock:
        key = stream["arn"]
        if key not in _deliveries:
            _deliveries[key] = Delivery(stream, dest)
        found = _deliveries[key]
        found.stream, found.dest = stream, dest  # an update of the stack replaces both
        return found


def gather(stream, dest, records):
    dest["records"].clear()  # MiniStack keeps every record it ever took
    delivery_of(stream, dest).accept(records)


def tags_with_pending(data):
    status, headers, body = original_tags(data)
    if status == 200:
        answer = json.loads(body)
        with _deliveries_lock:
            pending = [d.pending for d in _deliveries.values() if d.stream["name"] == data.get("DeliveryStreamName")]
        answer["Tags"] = [t for t in answer["Tags"] if t["Key"] != PENDING_TAG]
        answer["Tags"].append({"Key": PENDING_TAG, "Value": str(sum(pending))})
        body = json.dumps(answer).encode()
    return status, headers, body


def notify_before_answering(bucket, key, event, size=0, etag="", deletion_type=None, **more):
    """A put that was answered has been announced: whoever waits for quiet queues must not look between the two."""
    if bucket in s3._bucket_notifications:
        sequencer = s3._next_event_sequencer(event)
        s3._fire_s3_event(bucket, key, event, size, etag, deletion_type, sequencer=sequencer, **more)


def range_of_version(bucket_name, key, headers, query_params=None, *more, **named):
    """MiniStack answers a ranged read of a version with the whole version; S3 answers with the range."""
    status, answered, body = original_get(bucket_name, key, headers, query_params, *more, **named)
    asked = headers.get("range", "")
    if status != 200 or not asked or not (query_params or {}).get("versionId"):
        return status, answered, body
    span = s3._parse_range(asked, len(body))
    if span is None:
        refused = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
        return 416, refused, s3._xml_body(s3._range_error_xml(bucket_name, key))
    first, last = span
    part = body[first : last + 1]
    # A checksum of the whole object is none of a part.
    answered = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum-")}
    answered["Content-Length"] = str(len(part))
    answered["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return 206, answered, part


def alarm_over_expressions(name, props):
    """MiniStack refuses an alarm over expressions or a query, and with it the whole stack. Ours have no data here anyway, as no metric
    filter has: such an alarm is kept over a metric that nobody writes, and can be set by hand."""
    if props.get("Metrics"):
        props = {key: value for key, value in props.items() if key != "Metrics"}
        props.update(Namespace="Ledgerline", MetricName=name + "-expression")
    return original_alarm(name, props)


def api_with_its_answers(spec, base_data=None):
    """MiniStack drops what a template says of API Gateway's own answers. They are here before the deployment that takes them up."""
    api_id = original_import(spec, base_data)
    for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, kind, response)
        if status >= 400:
            raise ValueError(f"gateway response {kind}: {body!r}")
    return api_id


def settings_by_path(raw):
    """MiniStack looks a method's settings up by its path, and keeps them under the path as a template escapes it."""
    kept = original_settings(raw)
    return {key.replace("/~1", "/", 1).replace("~1", "/"): entry for key, entry in kept.items()}


original_settings = provisioners._apigw_method_settings
provisioners._apigw_method_settings = settings_by_path
original_import = apigateway_v1._import_rest_api
apigateway_v1._import_rest_api = api_with_its_answers
original_alarm = provisioners._cw_metric_alarm_record
provisioners._cw_metric_alarm_record = alarm_over_expressions
original_get = s3._get_object
s3._get_object = range_of_version
s3._fire_s3_event_async = notify_before_answering
original_tags = firehose._HANDLERS["ListTagsForDeliveryStream"]
firehose._HANDLERS["ListTagsForDeliveryStream"] = tags_with_pending
firehose._deliver_records_to_s3 = gather
conditions.install()

if __name__ == "__main__":
    from ministack.app import main

    main()
