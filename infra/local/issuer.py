"""The local stack's issuer of tokens: one key, and a token for each part that a person plays.

The key is made once and kept beside stack.json, so that an `up` leaves a deployed function as it is. Whoever can read that folder can
be anybody in the local stack, and nobody anywhere else.
"""

import base64
import json
import os
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://issuer.local.invalid"
AUDIENCE = "ledgerline-local"
KEY_ID = "local-1"
KEY_FILE = "issuer.key"
# A day's work. `cargo xtask up` makes new ones when half of it is over.
LIFE_SECONDS = 12 * 3600
SCOPES = {
    "reader": "dsar:read",
    "officer": "dsar:read request:write",
    "verifier": "request:verify",
    "approver": "request:approve",
    "analyst": "lineage:read gold:read",
    "loader": "crm:write",
}
# The parts that are programs: their tokens do not say that anybody signed in.
PROGRAMS = {"loader"}


def load_key(folder):
    """The issuer's key: the 32 bytes of an Ed25519 seed, in hex, readable by their owner alone."""
    path = folder / KEY_FILE
    if not path.exists():
        partial = folder / (KEY_FILE + ".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        partial.replace(path)
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))


def jwks(key):
    """The public key, as issuers publish theirs."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": KEY_ID, "alg": "EdDSA", "use": "sig", "x": encoded(public)}
    return json.dumps({"keys": [jwk]}, separators=(",", ":"))


def tokens(key, now):
    """A token for each part, by its name; each part is somebody else."""
    signed_in = {part: {} if part in PROGRAMS else {"auth_time": now} for part in SCOPES}
    return {part: token(key, now, f"local|{part}", scope, signed_in[part]) for part, scope in SCOPES.items()}


def token(key, now, subject, scope, signed_in):
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY_ID}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": scope, "iat": now, "exp": now + LIFE_SECONDS, **signed_in}
    signed = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return signed + "." + encoded(key.sign(signed.encode()))


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
