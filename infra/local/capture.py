"""The local stack's capture clients: one that sends for itself, and one that signs.

Their tokens and the secret are made once and kept beside stack.json, so that an `up` leaves a deployed function as it is. Whoever can read
that folder can send events to the local stack, and to no other.
"""

import hashlib
import json
import os
import secrets

FILE = "capture.key"


def load(folder):
    """Token, path token, and what the signing client has: readable by their owner alone."""
    path = folder / FILE
    if not path.exists():
        made = {
            "token": secrets.token_urlsafe(32),
            "pathToken": secrets.token_urlsafe(32),
            "signer": {"token": secrets.token_urlsafe(32), "secret": secrets.token_urlsafe(32)},
        }
        partial = folder / (FILE + ".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(made))
        partial.replace(path)
    return json.loads(path.read_text())


def clients(made):
    """The template's parameter CaptureClients."""
    signer = made["signer"]
    return json.dumps(
        [
            {"id": "local", "tokenHashes": [digest(made["token"])], "pathTokenHashes": [digest(made["pathToken"])]},
            {
                "id": "local-signer",
                "tokenHashes": [digest(signer["token"])],
                "authoritative": True,
                "secrets": [signer["secret"]],
            },
        ],
        separators=(",", ":"),
    )


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()
