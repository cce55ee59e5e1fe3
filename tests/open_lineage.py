"""Hands run events to the official OpenLineage client, as anybody would who reads them, and prints what came out as JSON.

    python open_lineage.py FILE...      files of events, a line each

Every event is built from the client's own classes, which refuse what they do not know, emitted by its file transport, and compared with
what was read. Without the client it prints {"missing": true}.
"""

import json
import pathlib
import sys
import tempfile

try:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields, InputField, Transformation
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.job_type_job import JobTypeJobFacet
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields
    from openlineage.client.generated.sql_job import SQLJobFacet
    from openlineage.client.transport.file import FileConfig, FileTransport
except ImportError:
    print(json.dumps({"missing": True}))
    sys.exit(0)


def column_lineage(fields):
    def input_field(one):
        changes = [Transformation(**change) for change in one.pop("transformations")]
        return InputField(**one, transformations=changes)

    told = {name: Fields(inputFields=[input_field(one) for one in field["inputFields"]]) for name, field in fields.items()}
    return ColumnLineageDatasetFacet(fields=told)


FACETS = {
    "sql": SQLJobFacet,
    "jobType": JobTypeJobFacet,
    "version": DatasetVersionDatasetFacet,
    "schema": lambda fields: SchemaDatasetFacet(fields=[SchemaDatasetFacetFields(**field) for field in fields]),
    "columnLineage": column_lineage,
}


def facets(all):
    built = {}
    for name, members in all.items():
        assert members["_schemaURL"].startswith("https://openlineage.io/spec/facets/"), members
        own = {member: value for member, value in members.items() if not member.startswith("_")}
        built[name] = FACETS[name](**own)
    return built


def event(read):
    read = json.loads(json.dumps(read))
    dataset = lambda kind: lambda one: kind(namespace=one["namespace"], name=one["name"], facets=facets(one["facets"]))
    return RunEvent(
        eventType=RunState[read["eventType"]],
        eventTime=read["eventTime"],
        producer=read["producer"],
        run=Run(runId=read["run"]["runId"], facets=facets(read["run"]["facets"])),
        job=Job(namespace=read["job"]["namespace"], name=read["job"]["name"], facets=facets(read["job"]["facets"])),
        inputs=[dataset(InputDataset)(one) for one in read["inputs"]],
        outputs=[dataset(OutputDataset)(one) for one in read["outputs"]],
    )


def essence(value):
    """Without what is empty, and without the facets' producers and versions, of which the client writes its own."""
    if isinstance(value, dict):
        kept = {name: essence(member) for name, member in value.items() if name not in ("_producer", "_schemaURL")}
        return {name: member for name, member in kept.items() if member not in (None, {}, [], "")}
    if isinstance(value, list):
        return [essence(one) for one in value]
    return value


def main(files):
    events, differences = 0, []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "events.jsonl")
        client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))
        for file in files:
            for number, line in enumerate(pathlib.Path(file).read_text().splitlines()):
                read = json.loads(line)
                path.unlink(missing_ok=True)
                client.emit(event(read))
                emitted = json.loads(path.read_text().splitlines()[-1])
                # The client's own mark.
                emitted["run"]["facets"].pop("tags", None)
                events += 1
                if essence(emitted) != essence(read):
                    differences.append([pathlib.Path(file).name, number])
    return {"events": events, "differences": differences}


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
