"""Reads event logs as other makers' tools do, and prints what each found as JSON.

    python mining.py read XES OCEL SCHEMA    pm4py's and r4pm's events, cases and variants; the schema's complaints
    python mining.py bpmn XES OUT            a model that pm4py discovers, written as BPMN
    python mining.py sql FOLDER FILE...      what DuckDB answers to each SQL text over FOLDER/silver/events/date=D/*.parquet

A tool that is not installed is null in the answer.
"""

import importlib.util
import json
import pathlib
import sys


def has(module):
    return importlib.util.find_spec(module) is not None


def variants(counts):
    return sorted([list(names), count] for names, count in counts)


def by_pm4py(xes, ocel):
    if not has("pm4py"):
        return None
    import pm4py
    from pm4py.objects.ocel.importer.jsonocel import importer

    # Its own readers: the default hands on to r4pm.
    log = pm4py.read_xes(xes, variant="iterparse")
    objects = importer.apply(ocel, variant=importer.Variants.OCEL20_STANDARD)
    return {
        "events": len(log),
        "cases": log["case:concept:name"].nunique(),
        "variants": variants(pm4py.get_variants(log).items()),
        "columns": sorted(log.columns),
        "nulls": int(log[["concept:name", "time:timestamp", "lifecycle:transition"]].isnull().sum().sum()),
        "ocelEvents": len(objects.events),
        "ocelObjects": len(objects.objects),
        "ocelRelations": len(objects.relations),
    }


def by_r4pm(xes, ocel):
    if not has("r4pm"):
        return None
    import r4pm
    from r4pm import bindings

    projection = bindings.log_to_activity_projection(r4pm.import_item("EventLog", xes))
    found = [(one["activities"], one["count"]) for one in bindings.get_variants(projection)]
    linked = bindings.slim_link_ocel(ocel=r4pm.import_item("OCEL", ocel))
    return {
        "events": sum(len(names) * count for names, count in found),
        "cases": sum(count for _, count in found),
        "variants": variants(found),
        "ocelEvents": bindings.num_events(ocel=linked),
        "ocelObjects": bindings.num_objects(ocel=linked),
    }


def complaints(ocel, schema):
    if not has("jsonschema"):
        return None
    import jsonschema

    checker = jsonschema.Draft202012Validator(json.loads(pathlib.Path(schema).read_text()))
    document = json.loads(pathlib.Path(ocel).read_text())
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in checker.iter_errors(document)][:20]


def read(xes, ocel, schema):
    return {"pm4py": by_pm4py(xes, ocel), "r4pm": by_r4pm(xes, ocel), "schema": complaints(ocel, schema)}


def bpmn(xes, out):
    if not has("pm4py"):
        return None
    import pm4py
    from pm4py.objects.bpmn.exporter.variants import etree

    model = pm4py.discover_bpmn_inductive(pm4py.read_xes(xes, variant="iterparse"))
    # Without a layout, for which it would start Graphviz.
    etree.apply(model, out)
    tasks = [node.get_name() for node in model.get_nodes() if type(node).__name__ == "Task"]
    return {"tasks": sorted(tasks), "flows": len(model.get_flows())}


def sql(folder, *files):
    import duckdb

    connection = duckdb.connect()
    # As Glue has it: the partition key is a text, and in no file.
    connection.execute(
        "CREATE VIEW silver_events AS SELECT * FROM "
        f"read_parquet('{folder}/silver/events/date=*/*.parquet', hive_partitioning = true, "
        "hive_types = {'date': VARCHAR}, union_by_name = true)"
    )
    found = {}
    for file in files:
        answer = connection.execute(pathlib.Path(file).read_text())
        names = [column[0] for column in answer.description]
        found[pathlib.Path(file).name] = [dict(zip(names, row)) for row in answer.fetchall()]
    return found


if __name__ == "__main__":
    # What they print goes to standard error: the answer is alone on standard output.
    answer, sys.stdout = sys.stdout, sys.stderr
    commands = {"read": read, "bpmn": bpmn, "sql": sql}
    json.dump(commands[sys.argv[1]](*sys.argv[2:]), answer, default=str)
