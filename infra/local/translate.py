"""Prints what `sam deploy` is given, as one JSON document: the template as SAM translates it for CloudFormation, and samconfig.toml.

Run by xtask/tests/translation.rs and xtask/src/permissions.rs inside the linters' environment. SAM translates on AWS's side: what it
adds (stages, roles, deletion policies that it drops or keeps) is in no file of ours.
"""

import json
import os
import pathlib
import sys

import tomlkit
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Functions have roles of their own, so SAM has no policy to look up by its name."""

    def load(self):
        return {}


# SAM asks for one; no ARN of ours depends on it.
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
infra = pathlib.Path(sys.argv[1])
template = yaml_parse((infra / "template.yaml").read_text())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        # As after `sam package`.
        resource["Properties"]["CodeUri"] = "s3://artifacts/function.zip"
configurations = tomlkit.parse((infra / "samconfig.toml").read_text()).unwrap()
json.dump({"template": transform(template, {}, NoManagedPolicies()), "configurations": configurations}, sys.stdout)
