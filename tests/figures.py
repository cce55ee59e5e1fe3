"""Reads silver and gold as analysts would, by pyarrow and by DuckDB, and prints what each found as JSON.

    python figures.py gold FOLDER DATE...     the gold files of each date, and the repository's SQL over silver
    python figures.py silver FOLDER           how many cells of silver the two read, and where they differ
    python figures.py dialects FILE...        each SQL text, parsed as Athena's, Trino's and DuckDB's
    python figures.py over FOLDER FILE...     the rows of each SQL text over silver, or over FOLDER/silver.jsonl if there is one

FOLDER holds silver/events/date=D/*.parquet, gold/<table>/date=D/part.parquet and D.sql, the interval SQL of the date.
"""

import json
import pathlib
import sys
from datetime import datetime, timezone

import duckdb
import pyarrow.parquet
import sqlglot

TABLES = ("gold_interval_queue_metrics", "gold_daily_queue_metrics")


def by_pyarrow(path):
    return pyarrow.parquet.ParquetFile(path).read().to_pylist()


def by_duckdb(connection, sql):
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row)) for row in answer.fetchall()]


def over_silver(folder):
    connection = duckdb.connect()
    lines = pathlib.Path(folder, "silver.jsonl")
    if lines.exists():
        # Rows of a test's own: the first line names every column's type.
        columns = json.loads(lines.read_text().splitlines()[0])
        rows = pathlib.Path(folder, "silver.rows.jsonl")
        rows.write_text("\n".join(lines.read_text().splitlines()[1:]))
        connection.execute(
            f"CREATE TABLE silver_events AS SELECT * FROM read_json('{rows}', format = 'newline_delimited', columns = {columns})"
        )
        return connection
    silver = f"{folder}/silver/events/date=*/*.parquet"
    # As Glue has it: the partition key is a text, and in no file.
    connection.execute(
        "CREATE VIEW silver_events AS SELECT * FROM "
        f"read_parquet('{silver}', hive_partitioning = true, hive_types = {{'date': VARCHAR}}, union_by_name = true)"
    )
    return connection


def over(folder, *files):
    connection = over_silver(folder)
    return {pathlib.Path(file).name: by_duckdb(connection, pathlib.Path(file).read_text()) for file in files}


def gold(folder, *dates):
    connection = over_silver(folder)
    found = {}
    for date in dates:
        found[date] = {"sql": by_duckdb(connection, pathlib.Path(folder, date + ".sql").read_text())}
        for table in TABLES:
            path = f"{folder}/gold/{table}/date={date}/part.parquet"
            found[date][table] = {
                "pyarrow": by_pyarrow(path),
                "duckdb": by_duckdb(connection, f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)"),
            }
    return found


def instant(value):
    """Milliseconds since 1970 of what is a time; everything else as it is."""
    if not isinstance(value, datetime):
        return value
    return round((value - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000)


def silver(folder):
    connection = duckdb.connect()
    cells, nulls, differences = 0, 0, []
    for path in sorted(pathlib.Path(folder).glob("silver/events/date=*/*.parquet")):
        ours = by_pyarrow(path)
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
        # Times come as numbers: Python's own would ask for a package of time zones.
        columns = ", ".join(
            f'epoch_ms("{name}") AS "{name}"' if kind.startswith("TIMESTAMP") else f'"{name}"'
            for name, kind, *_ in described.fetchall()
        )
        theirs = by_duckdb(connection, f"SELECT {columns} FROM read_parquet('{path}', hive_partitioning = false)")
        if len(ours) != len(theirs):
            differences.append([path.name, "rows", len(ours), len(theirs)])
        for number, (one, other) in enumerate(zip(ours, theirs)):
            for name in one.keys() | other.keys():
                cells += 1
                value = instant(one.get(name))
                nulls += value is None
                if value != other.get(name):
                    differences.append([path.name, number, name])
    return {"cells": cells, "nulls": nulls, "differences": differences[:20]}


def dialects(*files):
    """The same tree, whoever parses: so nothing in a text means something else to one of them."""
    found = {}
    for file in files:
        sql = pathlib.Path(file).read_text()
        trees = {name: sqlglot.parse_one(sql, read=name) for name in ("athena", "trino", "duckdb")}
        first = trees["athena"]
        found[pathlib.Path(file).name] = {name: tree == first for name, tree in trees.items()}
    return found


if __name__ == "__main__":
    command = {"gold": gold, "silver": silver, "dialects": dialects, "over": over}[sys.argv[1]]
    json.dump(command(*sys.argv[2:]), sys.stdout)
