"""Checks an exported ledger with Python's hashlib and cryptography alone: entries, tiles, roots and signatures.

Usage: python verify_export.py FOLDER [--key VKEY_OR_FILE]... [--log LOG]...

Nothing of Ledgerline is imported: this is what an auditor's engineer would write from the C2SP texts (tlog-tiles,
tlog-checkpoint, signed-note) and RFC 6962. Without --key the folder's own keys are used, which prove no more than that the
folder agrees with itself. Exit code: 0 it holds, 1 it does not, 2 it could not be checked.
"""

import argparse
import base64
import gzip
import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE_WIDTH = 256
# What file managers leave beside an auditor's files, apart from names that begin with a dot.
LEFT = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"}


class Broken(Exception):
    """The evidence contradicts itself."""


def files(folder: pathlib.Path, pattern: str) -> list:
    """A folder's files, but for what a file manager left: no name of a checkpoint, a segment or a key begins with a dot."""
    is_left = lambda name: name.startswith(".") or name.lower() in LEFT or name.endswith(":Zone.Identifier")
    return sorted(path for path in folder.glob(pattern) if not is_left(path.name))


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(line: bytes) -> bytes:
    """RFC 6962, section 2.1: a leaf begins with a zero byte."""
    return sha256(b"\x00", line)


def tree_hash(leaves: list) -> bytes:
    """RFC 6962, section 2.1: pairing level by level and carrying an odd node up unchanged equals the definition."""
    if not leaves:
        return sha256(b"")
    level = leaves
    while len(level) > 1:
        paired = [sha256(b"\x01", left, right) for left, right in zip(level[::2], level[1::2])]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def tile_path(level: int, index: int, width: int) -> str:
    """C2SP tlog-tiles: tile/<L>/<N>[.p/<W>], N in groups of three digits."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def read_tile(folder: pathlib.Path, level: int, index: int, width: int) -> list:
    """The first hashes of a tile; where the partial one is gone, the full one serves."""
    for candidate in (width, TILE_WIDTH):
        path = folder / tile_path(level, index, candidate)
        if path.is_file():
            data = path.read_bytes()
            if len(data) != candidate * 32:
                raise Broken(f"{path}: {len(data)} bytes are not {candidate} hashes")
            return [data[at : at + 32] for at in range(0, width * 32, 32)]
    raise Broken(f"{folder / tile_path(level, index, width)} is missing")


def check_tiles(folder: pathlib.Path, size: int) -> list:
    """Every tile of a tree of this size: each hash above the leaves is the root of a full tile below. Returns the leaves."""
    leaves, below, level = [], None, 0
    count = size
    while count > 0:
        hashes = []
        for index in range((count + TILE_WIDTH - 1) // TILE_WIDTH):
            hashes += read_tile(folder, level, index, min(TILE_WIDTH, count - index * TILE_WIDTH))
        if below is None:
            leaves = hashes
        else:
            for at, stored in enumerate(hashes):
                if stored != tree_hash(below[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]):
                    raise Broken(f"{folder}: hash {at} of tile level {level} is not the root of its tile below")
        below, count, level = hashes, count // TILE_WIDTH, level + 1
    return leaves


def check_segments(folder: pathlib.Path, leaves: list) -> tuple:
    """Each leaf is the hash of a line of a segment; what is pruned is left out. Returns the bytes of text and what the log
    says of its own keys: (index, verification key)."""
    seen, pruned_to, text_bytes, added = [False] * len(leaves), 0, 0, []
    for path in files(folder / "segment", "*.jsonl.gz"):
        first, count, digest = path.name.removesuffix(".jsonl.gz").split("-")
        first, count = int(first), int(count)
        data = path.read_bytes()
        if not hashlib.sha256(data).hexdigest().startswith(digest):
            raise Broken(f"{path}: its bytes do not have the digest in its name")
        text = gzip.decompress(data)
        lines = text.split(b"\n")
        if lines.pop() != b"" or len(lines) != count:
            raise Broken(f"{path}: {len(lines)} lines, {count} in its name")
        text_bytes += len(text)
        agree = [leaf_hash(line) == leaves[first + at] for at, line in enumerate(lines) if first + at < len(leaves)]
        # A segment that a crash left behind is no part of the log: none of its lines is at its place.
        if any(agree) and not all(agree):
            raise Broken(f"{path}: line {agree.index(False)} is not entry {first + agree.index(False)} of the log")
        if not agree or not all(agree):
            continue
        seen[first : first + len(agree)] = [True] * len(agree)
        for at, line in enumerate(lines[: len(agree)]):
            if b'"type":"LOG_PRUNED"' in line:
                pruned_to = max(pruned_to, int(json.loads(line)["fields"].get("prunedTo", 0)))
            if b'"type":"SIGNING_KEY_ADDED"' in line:
                added.append((first + at, json.loads(line)["fields"].get("key", "")))
    missing = [index for index, found in enumerate(seen) if not found and index >= pruned_to]
    if missing:
        raise Broken(f"{folder}: {len(missing)} entries have no segment, the first is entry {missing[0]}")
    return text_bytes, added


def read_key(text: str) -> tuple:
    """C2SP signed-note: <name>+<8 hex digits of the key id>+<base64 of 0x01 and the 32 bytes>."""
    name, key_id, encoded = text.strip().split("+", 2)
    key = base64.b64decode(encoded)
    if len(key) != 33 or key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
        raise Broken(f"{text!r} is no Ed25519 verification key")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(key[1:])


def check_note(path: pathlib.Path, keys: list) -> tuple:
    """A checkpoint: origin, size and root under a signature by one of the keys."""
    text, _, signatures = path.read_bytes().rpartition(b"\n\n")
    text += b"\n"
    origin, size, root = text.decode().split("\n")[:3]
    for line in signatures.decode().splitlines():
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded)
        for known, key_id, key in keys:
            if dash == "—" and name == known == origin and blob[:4] == key_id:
                try:
                    key.verify(blob[4:], text)
                except InvalidSignature:
                    raise Broken(f"{path}: the signature of {name} does not verify") from None
                return origin, int(size), base64.b64decode(root)
    raise Broken(f"{path}: no signature by a known key of {origin}")


def check_log(folder: pathlib.Path, log: str, keys: list) -> None:
    live = folder / "checkpoint"
    size = int(live.read_bytes().split(b"\n")[1])
    leaves = check_tiles(folder, size)
    text_bytes, added = check_segments(folder, leaves)
    archived, accepted = files(folder / "checkpoints", "*"), list(keys)
    for path in [*archived, live]:
        origin, its_size, its_root = check_note(path, accepted)
        if not origin.endswith("/" + log):
            raise Broken(f"{path}: signed for {origin}, found under {log}")
        if its_size > size or (path != live and its_size != int(path.name)) or tree_hash(leaves[:its_size]) != its_root:
            raise Broken(f"{path}: it is not a checkpoint of this log")
        # A key counts from where the log itself names it, under a checkpoint by a key that counted before.
        named = [read_key(key) for index, key in added if index < its_size]
        accepted += [key for key in named if key[0] == origin and key[:2] not in [known[:2] for known in accepted]]
    print(f"{log}  {size} entries, {text_bytes} bytes of text, {len(archived)} checkpoints, root {its_root.hex()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], help="a log's vkey, or a file that holds one")
    parser.add_argument("--log", action="append", default=[], help="only this log")
    options = parser.parse_args()
    try:
        given = [pathlib.Path(key) for key in options.key] or files(options.folder / "keys", "*.vkey")
        texts = [path.read_text() if path.is_file() else str(path) for path in given]
        keys = [read_key(line) for text in texts for line in text.splitlines() if line.strip()]
        logs = options.log or sorted(
            str(path.parent.relative_to(options.folder / "ledger"))
            for path in (options.folder / "ledger").glob("*/*/*/*/checkpoint")
            if path.parent.name.isdigit()
        )
        if not keys or not logs:
            print(f"error: {options.folder} has {len(keys)} keys and {len(logs)} logs with a checkpoint", file=sys.stderr)
            return 2
        for log in logs:
            check_log(options.folder / "ledger" / log, log, keys)
    except Broken as broken:
        print(f"BROKEN {broken}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("HOLDS")
    return 0


if __name__ == "__main__":
    sys.exit(main())
