"""Runs airbyte-source-plausible as its own command does, arguments included, but for one switch of its CDK.

The connector's specification refuses every `api_url` that has a scheme, its own example too, so that nobody can give it another host. The CDK can be told not
to hold the configuration against the specification. Connector and requests are as they were released.
"""
import sys

from airbyte_cdk.entrypoint import launch
from source_plausible import SourcePlausible

source = SourcePlausible()
source.check_config_against_spec = False
launch(source, sys.argv[1:])
