"""Answers gold's SQL over a folder's silver by DuckDB, as text cells: what Athena's GetQueryResults gives.

    python gold.py FOLDER TEXT.sql...     writes TEXT.jsonl beside each: the columns, then a row a line
"""

import json
import pathlib
import sys

import duckdb

folder, *texts = sys.argv[1:]
connection = duckdb.connect()
silver = f"{folder}/silver/events/date=*/*.parquet"
connection.execute(
    "CREATE VIEW silver_events AS SELECT * FROM "
    f"read_parquet('{silver}', hive_partitioning = true, hive_types = {{'date': VARCHAR}}, union_by_name = true)"
)
for text in map(pathlib.Path, texts):
    answer = connection.execute(text.read_text())
    partial = text.with_suffix(".partial")
    with partial.open("w") as out:
        print(json.dumps([column[0] for column in answer.description]), file=out)
        while rows := answer.fetchmany(10_000):
            for row in rows:
                print(json.dumps([None if cell is None else str(cell) for cell in row]), file=out)
    partial.rename(text.with_suffix(".jsonl"))
