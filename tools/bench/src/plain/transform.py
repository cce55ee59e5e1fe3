"""A bronze object to silver rows and audit lines, as one would write it in Python for Lambda.

gzip and NDJSON in; each event parsed, told apart by what it says and named by its place, its personal fields masked, its customer's
identifiers and its agent hashed under a key (each value once), flattened to columns; Parquet with snappy by day, and
one gzipped file of audit lines out. Fields are copied by an allow-list and columns are filled whole: that is what
pyarrow is quickest with.

    python transform.py <bronze object>
"""

import gzip
import hashlib
import hmac
import io
import pathlib
import re
import sys
from datetime import datetime, timezone
from typing import NamedTuple

import pyarrow
import pyarrow.parquet

import turns

PERSONAL = {"Contact", "User", "UserPresence"}
EVENT_KEY, PSEUDONYM_KEY = b"\x08" * 32, b"\x07" * 32
OBJECT = "00112233445566778899aabbccddeeff"
POLICY = "plain-1"
PREFIX = "v2.detail.events.conversation.{id}."
DAY_MS = 86_400_000

# What may be stored as it is: the source's name, the column's, its type.
TEXT, INT, BOOL, TIME = pyarrow.string(), pyarrow.int64(), pyarrow.bool_(), pyarrow.timestamp("ms", tz="UTC")
CLEAR = [
    ("divisionId", "division", TEXT),
    ("participantId", "participant_id", TEXT),
    ("sessionId", "session_id", TEXT),
    ("communicationId", "communication_id", TEXT),
    ("mediaType", "media", TEXT),
    ("messageType", "message_type", TEXT),
    ("direction", "direction", TEXT),
    ("provider", "provider", TEXT),
    ("queueId", "queue_id", TEXT),
    ("wrapupCode", "wrapup_code", TEXT),
    ("flowId", "flow_id", TEXT),
    ("flowType", "flow_type", TEXT),
    ("flowVersion", "flow_version", TEXT),
    ("flowOutcomeValue", "flow_outcome", TEXT),
    ("flowOutcomeId", "flow_outcome_id", TEXT),
    ("flowOutcomeStartTime", "flow_outcome_start_time", TIME),
    ("flowOutcomeEndTime", "flow_outcome_end_time", TIME),
    ("acdOutcome", "acd_outcome", TEXT),
    ("disconnectType", "disconnect_type", TEXT),
    ("exitReason", "exit_reason", TEXT),
    ("transferType", "transfer_type", TEXT),
    ("usedRouting", "used_routing", TEXT),
    ("routingPriority", "routing_priority", INT),
    ("skillExpressionApplied", "skill_expression_applied", BOOL),
    ("callbackScheduledTime", "callback_scheduled_time", TIME),
    ("serviceName", "service_name", TEXT),
    ("action", "action", TEXT),
    ("alertingDurationMs", "alerting_duration_ms", INT),
    ("callbackDurationMs", "callback_duration_ms", INT),
    ("connectedDurationMs", "connected_duration_ms", INT),
    ("contactingDurationMs", "contacting_duration_ms", INT),
    ("dialingDurationMs", "dialing_duration_ms", INT),
    ("heldDurationMs", "held_duration_ms", INT),
    ("interactingDurationMs", "interacting_duration_ms", INT),
    ("voicemailDurationMs", "voicemail_duration_ms", INT),
    ("wrapupDurationMs", "wrapup_duration_ms", INT),
]
NAMES = {source: column for source, column, _ in CLEAR}
# What is never stored: its name alone is.
MASKED = (
    "ani dnis addressFrom addressTo subject wrapupNotes attributes callbackUserName callbackNumbers externalContactId"
    " transcripts conversationExternalContactIds journeyContext outboundContactId username userDisplay remoteIp"
    " clientId entity propertyChanges"
)
MASKED = frozenset(MASKED.split())
# On an agent's leg the number dialled may be a colleague's.
AGENTS_LEG = frozenset(["user.start", "user.end", "voicemail.start", "voicemail.end", "acw", "wrapup"])
MESSAGING_PHONES = frozenset(["SMS", "WHATSAPP"])
VOICE = frozenset([None, "VOICE", "CALLBACK"])
# Attributes that name the customer, in camel and in snake case.
ATTRIBUTES = {
    "customerPhone": "phone",
    "customer_phone": "phone",
    "phone": "phone",
    "phoneNumber": "phone",
    "phone_number": "phone",
    "customerEmail": "email",
    "customer_email": "email",
    "email": "email",
    "emailAddress": "email",
    "email_address": "email",
    "accountNumber": "account",
    "account_number": "account",
    "accountId": "account",
    "account_id": "account",
    "customerId": "account",
    "customer_id": "account",
}
NOBODY = frozenset(
    ["", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld", "null", "none", "n/a"]
)
NO_DIGIT = re.compile(r"[^0-9]")


def address_kind(raw, body):
    lower = raw.lower()
    if lower.startswith(("tel:", "sip:", "sips:", "+")):
        return "phone"
    if "@" in lower:
        return "email"
    by_phone = body.get("mediaType") in VOICE or body.get("messageType") in MESSAGING_PHONES
    return "phone" if by_phone else "messaging_address"


def identifiers(body, event_type):
    """The customer side's identifiers: kind and value as sent, each once."""
    found = {}
    direction = body.get("direction")
    addresses = ()
    if direction == "INBOUND":
        addresses = (body.get("ani"), body.get("addressFrom"))
    elif direction == "OUTBOUND" and event_type not in AGENTS_LEG:
        addresses = (body.get("dnis"), body.get("addressTo"))
    for raw in addresses:
        if raw:
            found[address_kind(raw, body), raw] = None
    for raw in body.get("callbackNumbers", ()):
        found["phone", raw] = None
    if "externalContactId" in body:
        found["external_contact", body["externalContactId"]] = None
    for raw in body.get("conversationExternalContactIds", ()):
        found["external_contact", raw] = None
    if body.get("entityType") == "Contact":
        found["external_contact", body["entity"]["id"]] = None
    if "outboundContactId" in body:
        found["account", body["outboundContactId"]] = None
    attributes = body.get("attributes")
    if attributes:
        for name in ATTRIBUTES.keys() & attributes.keys():
            if isinstance(attributes[name], str):
                found[ATTRIBUTES[name], attributes[name]] = None
    return found


def normalised(kind, raw):
    """One spelling for one thing; None for what names nobody."""
    value = raw.strip()
    if value.lower() in NOBODY:
        return None
    if kind == "phone":
        if ":" in value:
            value = value.split(":", 1)[1]
        digits = NO_DIGIT.sub("", value.split("@", 1)[0].split(";", 1)[0])
        if len(digits) < 7:
            return None
        return "+" + digits if value.startswith("+") or len(digits) > 10 else "+1" + digits
    if kind in ("email", "external_contact"):
        return value.lower()
    return value


class Event(NamedTuple):
    """An event of the object, once; in the order in which they are written."""

    occurred_ms: int
    event_id: str
    line: int
    row: dict
    topic: str
    event_type: str
    body: dict
    masked: list
    customer_ref: str | None
    agent_ref: str | None


class Pseudonyms:
    """Keyed hashes, each computed once per object."""

    def __init__(self):
        self.known = {}

    def of(self, kind, raw):
        name = self.known.get((kind, raw), self)
        if name is self:
            value = normalised(kind, raw)
            name = None
            if value is not None:
                name = hmac.digest(PSEUDONYM_KEY, f"{kind}\x1f{value}".encode(), "sha256").hex()
            self.known[kind, raw] = name
        return name


def moment(text):
    """Python 3.10 does not know Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def occurred_ms(told):
    """Audits tell it as text."""
    return told if isinstance(told, int) else int(moment(told).timestamp() * 1000)


def text_of(milliseconds):
    return (
        datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def handler(json, bronze):
    """A bronze object's bytes in; Parquet files by day, gzipped audit lines, and counts out."""
    pseudonyms = Pseudonyms()
    events, seen, hashed = [], set(), 0
    lines = gzip.decompress(bronze).splitlines()
    for number, line in enumerate(lines):
        row = json.loads(line)
        event = row["raw"]
        topic = event["detail-type"]
        body = event["detail"]["eventBody"]
        claim_id = hmac.digest(EVENT_KEY, topic.encode() + b"\x1f" + json.canonical(body), "sha256")[:16]
        if claim_id in seen:
            continue
        seen.add(claim_id)
        event_id = hashlib.sha256(f"ledgerline event{OBJECT}{number}".encode()).hexdigest()[:32]
        event_type = (
            topic[len(PREFIX) :] if topic.startswith(PREFIX) else "audit" if "audits" in topic else "transcription"
        )
        named = [pseudonyms.of(kind, raw) for kind, raw in identifiers(body, event_type)]
        refs = [name for name in named if name is not None]
        hashed += len(refs)
        agent = body.get("userId")
        events.append(
            Event(
                occurred_ms(body["eventTime"]),
                event_id,
                number,
                row,
                topic,
                event_type,
                body,
                sorted(MASKED.intersection(body)),
                refs[0] if refs else None,
                pseudonyms.of("agent", agent) if agent else None,
            )
        )
    events.sort(key=lambda event: event[:2])
    files = {day: to_parquet(json, day_events) for day, day_events in by_day(events).items()}
    audit = gzip.compress(b"\n".join(audit_line(json, event) for event in events), compresslevel=2, mtime=0)
    return {"input": len(lines), "hashed": hashed, "files": files, "audit": audit}


def by_day(events):
    days = {}
    for event in events:
        days.setdefault(event.occurred_ms // DAY_MS, []).append(event)
    return days


def record_of(body):
    """The interaction, or the entity's type and id."""
    interaction = body.get("conversationId")
    if interaction:
        return interaction, None, None
    entity_type, entity_id = body["entityType"], body["entity"]["id"]
    if entity_type in PERSONAL:
        entity_id = "x_" + hmac.digest(EVENT_KEY, f"{entity_type}\x1f{entity_id.lower()}".encode(), "sha256").hex()[:32]
    return None, entity_type, entity_id


def audit_line(json, event):
    interaction, entity_type, entity_id = record_of(event.body)
    return json.canonical(
        {
            "v": 1,
            "eventId": event.event_id,
            "org": event.row["org"],
            "type": event.event_type,
            "record": interaction or f"{entity_type}/{entity_id}",
            "occurredAt": text_of(event.occurred_ms),
            "fields": {NAMES[name]: value for name, value in event.body.items() if name in NAMES},
            "masked": event.masked,
            "lineageToken": event.row["lineageToken"],
            "policyVersion": POLICY,
            "source": {"line": event.line},
        }
    )


def provenance(json, event):
    told = {"id": event.row["lineageToken"], "version": "1.0", "processorId": "plain/transform", "status": "processed"}
    told["masked"] = event.masked
    return json.dumps(told).decode()


def to_parquet(json, events):
    """One day's file: each column filled whole."""
    bodies = [event.body for event in events]
    rows = [event.row for event in events]
    records = [record_of(body) for body in bodies]
    columns = {
        "org": ([row["org"] for row in rows], TEXT),
        "event_id": ([event.event_id for event in events], TEXT),
        "interaction_id": ([record[0] for record in records], TEXT),
        "entity_type": ([record[1] for record in records], TEXT),
        "entity_id": ([record[2] for record in records], TEXT),
        "source": (["genesys-eventbridge"] * len(events), TEXT),
        "topic": ([event.topic for event in events], TEXT),
        "event_type": ([event.event_type for event in events], TEXT),
        "occurred_at": ([event.occurred_ms for event in events], TIME),
        "ingested_at": ([moment(row["receivedAt"]) for row in rows], TIME),
        "agent_ref": ([event.agent_ref for event in events], TEXT),
        "customer_ref": ([event.customer_ref for event in events], TEXT),
        "masked_fields": ([",".join(event.masked) for event in events], TEXT),
        "policy_version": ([POLICY] * len(events), TEXT),
        "lineage_token": ([row["lineageToken"] for row in rows], TEXT),
        "lineage_provenance": ([provenance(json, event) for event in events], TEXT),
        "bronze_line": ([event.line for event in events], INT),
    }
    for source, column, kind in CLEAR:
        columns[column] = ([body.get(source) for body in bodies], kind)
    table = pyarrow.table({name: pyarrow.array(values, kind) for name, (values, kind) in columns.items()})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, compression="snappy")
    return file.getvalue()


def count(made):
    parquet = [pyarrow.parquet.read_metadata(io.BytesIO(file)) for file in made["files"].values()]
    return {
        "lines": made["input"],
        "rows": sum(file.num_rows for file in parquet),
        "files": len(parquet),
        "auditLines": len(gzip.decompress(made["audit"]).splitlines()),
        "identifiers": made["hashed"],
    }


if __name__ == "__main__":
    BRONZE = pathlib.Path(sys.argv[1]).read_bytes()
    turns.serve(lambda json: handler(json, BRONZE), count)
