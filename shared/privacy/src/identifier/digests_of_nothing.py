#!/usr/bin/env python3
"""Writes digests_of_nothing.txt: what an upstream system sends as a hash where it had nothing to hash.

Run it in this folder after a change of WORDS. A line has the first 32 hex digits of a digest, the algorithm, and the word
as JSON. identifier.rs recomputes the SHA-2 lines in a test; MD5 and SHA-1 are nowhere in the product.
"""
import hashlib
import json

WORDS = (
    "", " ", "-", "0", "00", "000", "0000", "00000", "000000", "0000000", "00000000", "000000000", "0000000000", "+", "+0", "N/A", "[]", "{}",
    "00000000-0000-0000-0000-000000000000", "\n", '""', "''",
    "anonymous", "blocked", "calleridblocked", "empty", "false", "hidden", "invalid", "n/a", "na", "nan", "nil", "no caller id", "no number", "nocallerid", "nonumber",
    "none", "not available", "notavailable", "null", "payphone", "private", "private number", "privatenumber", "restricted", "unavailable", "undefined",
    "unknown", "unknown caller", "unknowncaller", "withheld", "anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid", "tel:anonymous",
    "266696687", "+266696687", "7378742833", "+7378742833", "2562533", "+2562533", "8656696", "+8656696", "86282452253", "+86282452253",
)

lines = set()
for word in WORDS:
    for spelled in (word, word.upper(), word.capitalize(), word.title()):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, spelled.encode()).hexdigest()
            lines.add(f"{digest[:32]} {algorithm} {json.dumps(spelled)}")
with open("digests_of_nothing.txt", "w", encoding="utf-8", newline="\n") as table:
    table.writelines(line + "\n" for line in sorted(lines))
