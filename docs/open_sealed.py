"""Opens the sealed fields of Ledgerline's entries with Python's hmac and cryptography alone.

Usage: python open_sealed.py ENTRIES KEYS          offline: entries as JSON lines, keys as below
       python open_sealed.py ENTRIES --deployment ID --control TABLE --keys-table TABLE [--endpoint URL]
                                                   months' private keys by KMS, wrapped keys from DynamoDB (needs boto3)

Nothing of Ledgerline is imported: docs/sealed-fields.md has the format, and this is what an engineer would write from it. Writes one
line of JSON for each block: the event's id, the party, the key's id, and what was opened or why nothing was; and one for each row
of keys that is of no use, with why. Exit code: 0 every block opened, 1 one did not, 2 it could not be tried.

KEYS is {"deployment", "months": {"yyyy-mm": private key, PKCS#8 DER in base64}, "rows": [{"record", "month", "enc", "keys": {key id:
{"party", "wrapped", ...}}}]}, bytes in base64.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

VERSION = b"ledgerline/sealed/v1"
PARTIES = ["customer", "joint", "agent"]
PADDED_BYTES = [192 << step for step in range(8)]
SEPARATOR = b"\x1f"


class NotOpened(Exception):
    """A block or a wrapped key does not open, and why."""


def unpadded(text: str) -> bytes:
    """base64url without padding, in its one spelling."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise NotOpened("not base64url without padding")
    return data


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


# -- Party keys ---------------------------------------------------------------------------------------------------------


def key_id(key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac_sha256(key, VERSION, b"/key-id")).rstrip(b"=").decode()


def seal_key(key: bytes) -> bytes:
    return hmac_sha256(key, VERSION, b"/seal")


# -- Blocks ---------------------------------------------------------------------------------------------------------------


def record_of(entry: dict) -> str:
    """`<org>/<record>`, as the entry has it."""
    about = entry.get("interactionId") or f"{entry['entity']['type']}/{entry['entity']['id']}"
    return f"{entry['org']}/{about}"


def bound_to(deployment: str, record: str, event_id: str, party: str, name: str) -> bytes:
    """What a block is bound to: each part as UTF-8, behind its length in four bytes, big-endian."""
    parts = [VERSION, *(part.encode() for part in (deployment, record, event_id, party, name))]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def check_form(entry: dict) -> None:
    """Key ids sorted, each once; at most one block a party, in the parties' order; where there are blocks, each id is one block's."""
    ids, blocks = entry["keyIds"], entry["sealed"]
    parties = [PARTIES.index(block["p"]) for block in blocks]
    if ids != sorted(set(ids)) or parties != sorted(set(parties)):
        raise NotOpened("key ids or blocks are not in their order")
    if blocks and sorted(block["k"] for block in blocks) != list(range(len(ids))):
        raise NotOpened("the blocks do not use each key id once")


def open_block(deployment: str, entry: dict, block: dict, key: bytes) -> dict:
    """The content of one block. The key's id is recomputed before anything is opened."""
    name = entry["keyIds"][block["k"]]
    if key_id(key) != name:
        raise NotOpened("the key is not the one that the entry names")
    data = unpadded(block["b"])
    bound = bound_to(deployment, record_of(entry), entry["eventId"], block["p"], name)
    if len(data) - 28 not in PADDED_BYTES:
        raise NotOpened("the block is not of a block's form")
    try:
        padded = AESGCM(seal_key(key)).decrypt(data[:12], data[12:], bound)
    except InvalidTag:
        raise NotOpened("the block does not belong to this entry") from None
    content = padded.rstrip(b" ")
    if len(padded) != min(size for size in PADDED_BYTES if len(content) <= size):
        raise NotOpened("the block's content is padded otherwise")
    return json.loads(content)


# -- Wrapped keys: RFC 9180, base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM --------------------------------------

KEM = b"KEM\x00\x10"
HPKE = b"HPKE\x00\x10\x00\x01\x00\x02"


def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """LabeledExtract."""
    return hmac_sha256(salt, b"HPKE-v1", suite, label, ikm)


def expand(suite: bytes, prk: bytes, label: bytes, info: bytes) -> bytes:
    """LabeledExpand to 32 bytes, which are one block of HKDF."""
    return hmac_sha256(prk, b"\x00\x20HPKE-v1", suite, label, info, b"\x01")


def exporter_secret(private: ec.EllipticCurvePrivateKey, enc: bytes, info: bytes) -> bytes:
    """What the month's private key makes of a run's encapsulation."""
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    dh = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), enc))
    shared = expand(KEM, extract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + public)
    context = b"\x00" + extract(HPKE, b"", b"psk_id_hash", b"") + extract(HPKE, b"", b"info_hash", info)
    return expand(HPKE, extract(HPKE, shared, b"secret", b""), b"exp", context)


def export(exporter: bytes, context: bytes) -> bytes:
    return expand(HPKE, exporter, b"sec", context)


def open_row(deployment: str, private: ec.EllipticCurvePrivateKey, row: dict, wanted: set) -> dict:
    """Those keys of a row that are wanted, by their ids; None for one that does not open. `enc` and `wrapped` are bytes."""
    exporter = exporter_secret(private, bytes(row["enc"]), b"ledgerline/party/v1" + SEPARATOR + deployment.encode())
    keys = {}
    for name in wanted & row["keys"].keys():
        exported = export(exporter, row["record"].encode() + SEPARATOR + name.encode())
        try:
            key = AESGCM(exported).decrypt(bytes(12), bytes(row["keys"][name]["wrapped"]), None)
        except (InvalidTag, ValueError):
            key = b""
        keys[name] = key if key_id(key) == name else None
    return keys


def open_rows(source, record: str, wanted: set) -> dict:
    """The wanted keys of a record by their ids. A row that is of no use is told of, and keeps nothing from the others; of two rows with
    one key id the one counts whose key opens."""
    keys = {}
    for row in source.rows_of(record):
        try:
            if wanted.isdisjoint(row["keys"]):
                continue
            opened = open_row(source.deployment, source.private(row["month"]), row, wanted)
        except (KeyError, TypeError, ValueError, AttributeError) as why:
            print(json.dumps({"record": record, "rowOfNoUse": repr(why)}))
            continue
        keys |= {name: key for name, key in opened.items() if key is not None or name not in keys}
    return keys


# -- Where keys are -------------------------------------------------------------------------------------------------------------


class Folder:
    """Keys out of a file."""

    def __init__(self, told: dict):
        self.deployment = told["deployment"]
        self.months = {month: load_der_private_key(base64.b64decode(der), None) for month, der in told["months"].items()}
        self.rows = [row_of_text(row) for row in told["rows"]]

    def private(self, month: str) -> ec.EllipticCurvePrivateKey:
        return self.months[month]

    def rows_of(self, record: str) -> list:
        return [row for row in self.rows if row["record"] == record]


class Stack:
    """Keys out of a deployment: needs boto3, and the permission to use the KMS key with purpose=party."""

    def __init__(self, deployment: str, control: str, keys: str, endpoint: str | None):
        import boto3

        self.deployment, self.months, self.rows = deployment, {}, (None, [])
        tables = boto3.resource("dynamodb", endpoint_url=endpoint)
        self.control, self.keys = tables.Table(control), tables.Table(keys)
        self.kms = boto3.client("kms", endpoint_url=endpoint)

    def private(self, month: str) -> ec.EllipticCurvePrivateKey:
        if month not in self.months:
            wrapped = self.control.get_item(Key={"pk": "KEY#party", "sk": month})["Item"]["wrapped"]
            context = {"deployment": self.deployment, "purpose": "party", "version": month}
            try:
                opened = self.kms.decrypt(CiphertextBlob=bytes(wrapped), EncryptionContext=context)
            except self.kms.exceptions.ClientError as why:
                raise PermissionError(str(why)) from None
            self.months[month] = load_der_private_key(opened["Plaintext"], None)
        return self.months[month]

    def rows_of(self, record: str) -> list:
        """Those of one record after the other are kept: a record's entries stand together."""
        from boto3.dynamodb.conditions import Key

        asked = {"KeyConditionExpression": Key("pk").eq(f"INT#{record}") & Key("sk").begins_with("PARTY#")}
        of, rows = self.rows
        if of == record:
            return rows
        rows = []
        while True:
            page = self.keys.query(**asked, ConsistentRead=True)
            rows += [{**item, "record": record} for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                self.rows = (record, rows)
                return rows
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def row_of_text(row: dict) -> dict:
    """A row whose bytes are in base64."""
    keys = {name: {**key, "wrapped": base64.b64decode(key["wrapped"])} for name, key in row["keys"].items()}
    return {**row, "enc": base64.b64decode(row["enc"]), "keys": keys}


def open_entry(source, entry: dict) -> list:
    """What became of each block: (block, content or None, why not)."""
    check_form(entry)
    keys = open_rows(source, record_of(entry), set(entry["keyIds"])) if entry["sealed"] else {}
    told = []
    for block in entry["sealed"]:
        name = entry["keyIds"][block["k"]]
        try:
            if keys.get(name) is None:
                raise NotOpened("no key of this id" if name not in keys else "the wrapped key does not open")
            told.append((block, open_block(source.deployment, entry, block, keys[name]), None))
        except NotOpened as why:
            told.append((block, None, str(why)))
    return told


def tell(source, entry: dict) -> bool:
    """Says what became of an entry's blocks; whether all of them opened."""
    try:
        opened = open_entry(source, entry)
    except NotOpened as why:
        print(json.dumps({"eventId": entry["eventId"], "notOpened": str(why)}))
        return False
    for block, content, why in opened:
        told = {"eventId": entry["eventId"], "party": block["p"], "keyId": entry["keyIds"][block["k"]]}
        print(json.dumps({**told, **({"opened": content} if why is None else {"notOpened": why})}))
    return all(why is None for _, _, why in opened)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("entries")
    parser.add_argument("keys", nargs="?")
    for name in ("deployment", "control", "keys-table", "endpoint"):
        parser.add_argument(f"--{name}")
    asked = parser.parse_args()
    try:
        if asked.keys:
            with open(asked.keys, encoding="utf-8") as file:
                source = Folder(json.load(file))
        elif asked.deployment and asked.control and asked.keys_table:
            source = Stack(asked.deployment, asked.control, asked.keys_table, asked.endpoint)
        else:
            parser.error("say KEYS, or --deployment, --control and --keys-table")
        with open(asked.entries, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.strip()]
        return 0 if all([tell(source, entry) for entry in entries]) else 1
    except (OSError, ValueError, KeyError, ImportError) as error:
        print(f"could not be tried: {error!r}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
