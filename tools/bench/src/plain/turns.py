"""Runs a handler whenever it is asked to, and says what that took.

`cargo xtask bench` starts a handler's script, writes the name of a JSON library per line and reads one line of JSON
back: the CPU time of the handler alone, and counts of what it made, taken after the clock was read.
"""

import json
import sys
import time

import orjson


class Standard:
    """Python's own json, used as quickly as it goes: no spaces, bytes out."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    @staticmethod
    def canonical(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()


class Orjson:
    """orjson, which many bring along in a layer."""

    loads = staticmethod(orjson.loads)
    dumps = staticmethod(orjson.dumps)

    @staticmethod
    def canonical(value):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


LIBRARIES = {"json": Standard, "orjson": Orjson}


def serve(handle, count):
    """`handle(library)` does the whole work once; `count(result)` tells its counts."""
    for line in sys.stdin:
        library = LIBRARIES[line.strip()]
        before = time.process_time_ns()
        result = handle(library)
        cpu_ns = time.process_time_ns() - before
        print(json.dumps({"cpuNs": cpu_ns, "counts": count(result)}), flush=True)
