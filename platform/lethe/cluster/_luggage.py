"""What travels to a cluster's workers: the two packages as they are here, so that no node needs them installed."""

import json
import os
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR

import lethe
import unlearning
from lethe.provenance import CODE_VERSION_VARIABLE, code_version

LEFT_OUT = ["__pycache__", "RECORD", "direct_url.json"]
"""What does not travel: byte code, and which files and folders the package was installed to here."""


def luggage() -> dict[str, Any]:
    """Give the runtime environment by which Ray sends the code; an empty one where it was sent already, with a job."""
    if "py_modules" in _of_job():
        return {}
    return {
        "py_modules": [str(folder) for folder in (*_packages(), _metadata())],
        "excludes": LEFT_OUT,
        "env_vars": {CODE_VERSION_VARIABLE: code_version()},
    }


def _of_job() -> dict[str, Any]:
    """Give the runtime environment of the submitted job that this process is the driver of; empty without one."""
    runtime_env: dict[str, Any] = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR, "{}")).get("runtime_env") or {}
    return runtime_env


def _packages() -> list[Path]:
    return [Path(package.__path__[0]) for package in (lethe, unlearning)]


def _metadata() -> Path:
    """Name the folder that tells the version of what is installed."""
    installed = distribution("lethe")
    return Path(str(installed.locate_file(f"lethe-{installed.version}.dist-info")))
