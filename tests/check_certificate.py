"""Checks a certificate of an erasure with Python's hashlib and cryptography alone.

Usage: python check_certificate.py FILE --key VKEY...

Nothing of Ledgerline is imported: this is what a regulator's engineer would write from the format's description, RFC 8785, RFC 6962 and
C2SP signed-note. Exit code: 0 it holds, 1 it does not, 2 it could not be checked.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

REASON, STATUS = "RTBF_REQUEST", "SUCCESS"


class Broken(Exception):
    """The certificate contradicts itself, or what was signed."""


def canonical(value) -> bytes:
    """RFC 8785 of what a certificate holds: objects with ASCII names, texts, whole numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def is_in_tree(leaf: bytes, index: int, size: int, path: list, root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = sha256(b"\x01", sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = sha256(b"\x01", found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def read_key(text: str) -> tuple:
    """C2SP signed-note: <name>+<8 hex digits of the key id>+<base64 of 0x01 and the 32 bytes>."""
    name, key_id, encoded = text.strip().split("+", 2)
    key = base64.b64decode(encoded)
    if len(key) != 33 or key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
        raise Broken(f"{text!r} is no Ed25519 verification key")
    return name, bytes.fromhex(key_id), key[1:]


def check_note(log: str, note: str, vkeys: list, trusted: set) -> tuple:
    """The size and root of a log's checkpoint; each of its signatures is by a trusted key."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    if not origin.endswith("/" + log):
        raise Broken(f"{log}: the checkpoint is {origin}'s")
    keys = {(name, key_id): key for name, key_id, key in map(read_key, vkeys)}
    lines = signatures.splitlines()
    if not lines or len(lines) != len(keys):
        raise Broken(f"{log}: signatures and keys are not one for one")
    for line in lines:
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded)
        key = keys.get((name, blob[:4]))
        if dash != "—" or name != origin or key is None or key not in trusted:
            raise Broken(f"{log}: a signature is by no trusted key")
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], text.encode())
        except InvalidSignature:
            raise Broken(f"{log}: the signature of {name} does not verify") from None
    return int(size), base64.b64decode(root)


def record_of(entry: dict) -> str:
    entity = entry.get("entity")
    return f"{entity['type']}/{entity['id']}" if entity else entry["interactionId"]


def guide_of(asked: dict, entry: dict) -> dict:
    """The form of the guide to identity audits."""
    return {
        "auditEvent": {
            "eventType": "DATA_DELETION",
            "timestamp": entry["occurredAt"],
            "interactionId": record_of(entry),
            "resolvedCustomerId": asked.get("customerIdHash"),
            "deletionReason": asked.get("deletionReason", REASON),
            "requestId": asked.get("reference", asked["requestId"]),
            "status": STATUS,
        }
    }


def check_deletions(body: dict, trusted: set) -> None:
    heads = [check_note(log["log"], log["checkpoint"], log["keys"], trusted) for log in body["logs"]]
    nodes = [base64.b64decode(node) for node in body["nodes"]]
    for at, one in enumerate(body["deletions"]):
        entry, (size, root) = one["entry"], heads[one["log"]]
        if entry["type"] != "DATA_DELETION" or entry["fields"] != {"deletion_reason": REASON, "status": STATUS}:
            raise Broken(f"deletions[{at}] is no act of deletion")
        path = [nodes[node] for node in one["path"]]
        if not is_in_tree(sha256(b"\x00", canonical(entry)), one["index"], size, path, root):
            raise Broken(f"deletions[{at}] is not in its log")
        if one["guide"] != guide_of(body["request"], entry):
            raise Broken(f"deletions[{at}] is told otherwise in the guide's form")


def check_counts(body: dict) -> None:
    erased = {(one["entry"]["org"], record_of(one["entry"])) for one in body["deletions"]}
    found = {
        "deletions": len(body["deletions"]),
        "keys": sum(len(one["entry"]["keyIds"]) for one in body["deletions"]),
        "held": len(body["held"]),
        "kept": len(body["kept"]),
        "records": len(erased) + len(body["held"]) + len(body["kept"]),
    }
    for name, number in found.items():
        if body["counts"][name] != number:
            raise Broken(f"counts.{name} says {body['counts'][name]}, and there are {number}")


def check_certified(body: dict, certified: list, trusted: set) -> None:
    digest = hashlib.sha256(canonical(body)).hexdigest()
    if [act["entry"]["org"] for act in certified] != body["request"]["orgs"]:
        raise Broken("there is not one act for each organisation")
    for act in certified:
        entry = act["entry"]
        size, root = check_note(act["log"], act["checkpoint"], act["keys"], trusted)
        path = [base64.b64decode(node) for node in act["path"]]
        if not is_in_tree(sha256(b"\x00", canonical(entry)), act["index"], size, path, root):
            raise Broken(f"the act of {act['log']} is not in its log")
        if entry["type"] != "ERASURE_CERTIFIED" or record_of(entry) != f"erasure/{body['certificate']}":
            raise Broken(f"the act of {act['log']} is not this certificate's")
        if entry["fields"]["sha256"] != digest:
            raise Broken("the body is not what the ledger certified")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--key", action="append", required=True, help="a vkey of any of the ledger's logs")
    options = parser.parse_args()
    try:
        trusted = {read_key(key)[2] for key in options.key}
        data = options.file.read_bytes()
        file = json.loads(data)
        if canonical(file) + b"\n" != data:
            raise Broken("the file is not written in the one way to write it")
        check_deletions(file["body"], trusted)
        check_counts(file["body"])
        check_certified(file["body"], file["certified"], trusted)
    except Broken as broken:
        print(f"BROKEN {broken}", file=sys.stderr)
        return 1
    except (KeyError, IndexError, TypeError, ValueError) as error:
        print(f"BROKEN it does not read as a certificate: {error!r}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"HOLDS {file['body']['counts']['deletions']} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
