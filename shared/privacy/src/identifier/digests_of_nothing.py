#!/usr/bin/env python3
"""Writes digests_of_nothing.txt: what an upstream system sends as a hash where it had nothing to hash.

Run it in this folder after a change of WORDS. A line has the first 32 hex digits of a digest, the algorithm, and the word
as JSON. nothing.rs recomputes the SHA-2 lines in a test; MD5 and SHA-1 are nowhere in the product.
"""
import hashlib
import json

# nothing.rs, WORDS, and phone.rs, WITHHELD: a test there says which are missing here.
LETTERS = (
    "anonymous anonymouscaller anonymouscustomer anonymoususer blocked calleridblocked default defaultuser empty false guest guestuser hidden "
    "invalid na nan nil no nocallerid nocustomer noid none nonumber notapplicable notavailable notfound notprovided notset null objectobject "
    "payphone private privatenumber restricted tbd true unavailable undefined unidentified unknown unknowncaller unknowncontact "
    "unknowncustomer unknownuser withheld xxx"
).split()
KEYS = {letter: str(key) for key, letters in enumerate("abc def ghi jkl mno pqrs tuv wxyz".split(), start=2) for letter in letters}
WORDS = [
    "", " ", "-", "+", "+0", "N/A", "n/a", "[]", "{}", '""', "''", "\n", "-1", "no caller id", "no number", "not available", "private number",
    "unknown caller", "anonymous user", "not provided", "not found", "anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid",
    "tel:anonymous", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    *("0" * zeros for zeros in range(1, 13)), *LETTERS,
    *(plus + "".join(KEYS[letter] for letter in word) for plus in ("", "+") for word in LETTERS[:1] + "restricted blocked unknown unavailable".split()),
]

lines = set()
for word in WORDS:
    for spelled in (word, word.upper(), word.capitalize(), word.title()):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, spelled.encode()).hexdigest()
            lines.add(f"{digest[:32]} {algorithm} {json.dumps(spelled)}")
with open("digests_of_nothing.txt", "w", encoding="utf-8", newline="\n") as table:
    table.writelines(line + "\n" for line in sorted(lines))
