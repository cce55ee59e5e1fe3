"""The Firehose transformation as one would write it in Python for Lambda: every record becomes a bronze line.

A record is decoded, its event parsed, sensitive authentication data removed, the lineage token found or derived, the
partition told from the event's own time; the event's bytes stay as they are. One document per record, and no byte is
looked at twice where Python can help it: keys are compared by sets, tokens and hours are remembered.

    python ingest.py <folder with request-*.json> <default organisation> <hours after which an event is late>
"""

import base64
import pathlib
import sys
import uuid
from datetime import datetime, timedelta, timezone
from functools import lru_cache

import turns

NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
PARTNER = "aws.partner/genesys.com/cloud/"
WORDS = "cvv cvv2 cvc cvc2 csc cardCvv cardSecurityCode securityCode pin pinNumber pinBlock pinCode track1 track2"
WORDS += " trackData magStripe password passwd pwd passcode passphrase"
# As they are, in lower and in upper case: set against a whole object's keys at once.
SENSITIVE = frozenset(
    spelled for word in WORDS.split() for spelled in (word, word.lower(), word.upper(), word[0].upper() + word[1:])
)
CLOCK_SKEW = timedelta(minutes=5)


@lru_cache(maxsize=4096)
def derived_token(record_id):
    return str(uuid.uuid5(NAMESPACE, record_id))


@lru_cache(maxsize=4096)
def partition(zone, family, day, hour):
    keys = {
        "zone": zone,
        "event_type": family,
        "year": f"{day.year:04}",
        "month": f"{day.month:02}",
        "day": f"{day.day:02}",
    }
    return {**keys, "hour": f"{hour:02}"}


def remove_sensitive(value):
    """Empties every sensitive member, however deep; whether there was one."""
    found = False
    if type(value) is dict:
        if not SENSITIVE.isdisjoint(value):
            found = True
            for key in SENSITIVE.intersection(value):
                value[key] = None
        value = value.values()
    for inner in value:
        kind = type(inner)
        if (kind is dict or kind is list) and remove_sensitive(inner):
            found = True
    return found


def time_of(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def text_of(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def family_and_id(topic, body):
    if topic.startswith("v2.audits."):
        return "entity", f"{body['entityType']}/{body['entity']['id']}"
    return "interaction", body["conversationId"]


def to_bronze(json, data, arrival_ms, default_org):
    """The record's line and its partition keys."""
    arrival = time_of(arrival_ms)
    event = json.loads(data)
    detail = event["detail"]
    body = detail["eventBody"]
    family, record_id = family_and_id(event["detail-type"], body)
    occurred = body.get("eventTime") or event["time"]
    occurred = (
        time_of(occurred) if isinstance(occurred, int) else datetime.fromisoformat(occurred.replace("Z", "+00:00"))
    )
    source = event["source"]
    attributes = body.get("attributes")
    token = attributes.get("lineageToken") if attributes else None
    if remove_sensitive(event) or b"\n" in data:
        data = json.dumps(event)
    envelope = {
        "v": 1,
        "org": source[len(PARTNER) :].split("/", 1)[0] if source.startswith(PARTNER) else default_org,
        "lineageToken": token or derived_token(record_id),
        "receivedAt": text_of(arrival),
        "occurredAt": text_of(occurred),
        "source": source,
    }
    if arrival - occurred > LATE_AFTER or occurred - arrival > CLOCK_SKEW:
        family, occurred = "late", arrival.replace(hour=0)
    keys = partition("bronze", family, occurred.date(), occurred.hour)
    return b'%b,"raw":%b}\n' % (json.dumps(envelope)[:-1], data), keys


def quarantined(json, data, arrival_ms):
    arrival = time_of(arrival_ms)
    line = {"v": 1, "receivedAt": text_of(arrival), "reason": "not_json", "rawBase64": base64.b64encode(data).decode()}
    keys = partition("quarantine", "unreadable", arrival.date(), arrival.hour)
    return json.dumps(line) + b"\n", keys


def handler(json, request, default_org):
    """What Lambda calls: a request's bytes in, the answer's bytes out."""
    answers = []
    for record in json.loads(request)["records"]:
        data = base64.b64decode(record["data"])
        arrival_ms = record["approximateArrivalTimestamp"]
        try:
            line, keys = to_bronze(json, data, arrival_ms, default_org)
        except (ValueError, KeyError, TypeError):
            line, keys = quarantined(json, data, arrival_ms)
        answers.append(
            {
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(line).decode(),
                "metadata": {"partitionKeys": keys},
            }
        )
    return json.dumps({"records": answers})


def count(responses):
    """Answers, events among them, their bytes as their sources sent them or as they were cut, and partitions."""
    answered = [answer for response in responses for answer in turns.Orjson.loads(response)["records"]]
    keys = [answer["metadata"]["partitionKeys"] for answer in answered]
    return {
        "records": len(answered),
        "events": sum(one["zone"] == "bronze" for one in keys),
        "partitions": len({tuple(sorted(one.items())) for one in keys}),
    }


if __name__ == "__main__":
    requests = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).glob("request-*.json"))]
    LATE_AFTER = timedelta(hours=int(sys.argv[3]))
    turns.serve(lambda json: [handler(json, request, sys.argv[2]) for request in requests], count)
