"""The files that start a cluster: by `ray up`, on Kubernetes, and on a SLURM allocation.

Ray checks its own two files. The Kubernetes manifests are held against the fields that KubeRay 1.6 defines, and read by
Ray's own autoscaler. The batch script runs for real; only SLURM's commands are stand-ins, which run things here.
"""

import copy
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config

from lethe.cli import app
from lethe.results import query
from lethe.study import read_study

Change = Callable[[dict[str, Any]], object]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "cluster"
AWS, ON_PREMISE = ROOT / "cluster.yaml", FOLDER / "on_premise.yaml"
RAY_CLUSTER, RAY_JOB, POLICY = (FOLDER / name for name in ("raycluster.yaml", "rayjob.yaml", "network_policy.yaml"))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


# `ray up`


@pytest.mark.parametrize("path", [AWS, ON_PREMISE])
def test_ray_accepts_the_file(path: Path) -> None:
    validate_config(prepare_config(read(path)))


BROKEN: dict[str, tuple[Path, Change]] = {
    "misspelt key": (AWS, lambda config: config.update(idle_timeout_minute=1)),
    "unknown head": (AWS, lambda config: config.update(head_node_type="heads")),
    "more at least than at most": (
        AWS,
        lambda config: config["available_node_types"]["gpu_worker"].update(min_workers=5),
    ),
    "no provider": (ON_PREMISE, lambda config: config.pop("provider")),
    "no workers": (ON_PREMISE, lambda config: config["provider"].pop("worker_ips")),
    "a command that is no text": (ON_PREMISE, lambda config: config.update(setup_commands=[1])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_ray_refuses_a_broken_copy(name: str) -> None:
    path, breaks = BROKEN[name]
    config = read(path)
    breaks(config)
    with pytest.raises(Exception):  # noqa: B017 - each check of Ray's has an exception of its own
        validate_config(prepare_config(config))


@pytest.mark.parametrize("path", [AWS, ON_PREMISE])
def test_every_ray_is_started_with_the_token(path: Path) -> None:
    config = prepare_config(read(path))
    assert config["file_mounts"]["~/.lethe-ray-token"] == "~/.lethe-ray-token"
    [setting] = [command for command in config["setup_commands"] if "> ~/.lethe-environment" in command]
    assert "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.lethe-ray-token" in setting
    for kind in ("head", "worker"):
        starts = [line for line in config[f"{kind}_start_ray_commands"] if "ray start" in line]
        assert len(starts) == 1
        assert starts[0].startswith(". ~/.lethe-environment && ")
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]


def test_on_aws_gpu_machines_come_and_go_within_the_bounds_that_the_comments_name() -> None:
    config = read(AWS)
    types = config["available_node_types"]
    assert (types["gpu_worker"]["min_workers"], types["gpu_worker"]["max_workers"]) == (0, config["max_workers"])
    assert types[config["head_node_type"]]["resources"] == {"CPU": 0}
    assert types["gpu_worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert f"resources.workers={config['max_workers'] * 4 * 4} " in AWS.read_text()


def test_on_premise_nothing_ends_the_ray_of_others() -> None:
    commands = yaml.safe_dump(read(ON_PREMISE))
    assert "ray stop" not in commands
    assert "ray down" not in commands
    assert prepare_config(read(ON_PREMISE))["max_workers"] == len(read(ON_PREMISE)["provider"]["worker_ips"])


def test_a_machine_without_mps_comes_up(tmp_path: Path) -> None:
    [line] = [command for command in read(AWS)["worker_start_ray_commands"] if "mps" in command]
    assert line in ON_PREMISE.read_text()
    said = tmp_path / "said"
    commands = {"none": {}, "driver": {"nvidia-smi": "exit 0"}, "no GPU": {"nvidia-smi": "exit 9"}}
    commands["both"] = {"nvidia-smi": "exit 0", "nvidia-cuda-mps-control": f'echo "$@" >> {said}; exit 1'}
    for name, scripts in commands.items():
        folder = write_commands(tmp_path / name, scripts)
        done = subprocess.run(["/bin/bash", "-c", line], env={"PATH": str(folder)}, capture_output=True, check=False)
        assert done.returncode == 0, (name, done.stderr)
    assert said.read_text() == "-d\n"


def write_commands(folder: Path, scripts: dict[str, str]) -> Path:
    """Write small shell scripts into a folder for PATH."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


# Kubernetes


def closed(required: str, **properties: Any) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


TEXT, COUNT, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
AMOUNTS = closed(
    "cpu memory",
    **{"cpu": TEXT, "memory": {"type": "string", "pattern": "^[0-9]+[GM]i$"}, "nvidia.com/gpu": TEXT},
)
RESOURCES = closed("requests limits", requests=AMOUNTS, limits=AMOUNTS)
CONTAINER = closed(
    "name image resources",
    name=TEXT,
    image=TEXT,
    env={"type": "array", "items": closed("name value", name=TEXT, value=TEXT)},
    resources=RESOURCES,
)
POD = closed(
    "metadata spec",
    metadata=closed("labels", labels=TEXTS),
    spec=closed(
        "containers restartPolicy",
        serviceAccountName=TEXT,
        restartPolicy={"enum": ["Never"]},
        containers={"type": "array", "items": CONTAINER, "minItems": 1},
    ),
)
CLUSTER_SPEC = closed(
    "rayVersion authOptions headGroupSpec workerGroupSpecs",
    rayVersion=TEXT,
    authOptions=closed("mode secretName", mode={"enum": ["token"]}, secretName=TEXT),
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=closed("", version={"enum": ["v1", "v2"]}, idleTimeoutSeconds=COUNT, resources=RESOURCES),
    headGroupSpec=closed("rayStartParams template", rayStartParams=TEXTS, template=POD),
    workerGroupSpecs={
        "type": "array",
        "minItems": 1,
        "items": closed(
            "groupName minReplicas maxReplicas rayStartParams template",
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD,
        ),
    },
)
JOB_SPEC = closed(
    "entrypoint rayClusterSpec",
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
    backoffLimit=COUNT,
    shutdownAfterJobFinishes=FLAG,
    ttlSecondsAfterFinished=COUNT,
    rayClusterSpec=CLUSTER_SPEC,
)
POLICY_SPEC = closed(
    "podSelector policyTypes ingress",
    podSelector=closed("matchLabels", matchLabels=TEXTS),
    policyTypes={"const": ["Ingress"]},
    ingress={"type": "array", "items": closed("from", **{"from": {"type": "array"}, "ports": {"type": "array"}})},
)


def manifest_schema(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return closed(
        "apiVersion kind metadata spec",
        apiVersion={"const": version},
        kind={"const": kind},
        metadata=closed("name", name=TEXT),
        spec=spec,
    )


MANIFESTS = {
    RAY_CLUSTER: manifest_schema("ray.io/v1", "RayCluster", CLUSTER_SPEC),
    RAY_JOB: manifest_schema("ray.io/v1", "RayJob", JOB_SPEC),
    POLICY: manifest_schema("networking.k8s.io/v1", "NetworkPolicy", POLICY_SPEC),
}


def cluster_specs() -> list[dict[str, Any]]:
    return [read(RAY_CLUSTER)["spec"], read(RAY_JOB)["spec"]["rayClusterSpec"]]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_has_the_fields_that_its_kind_defines(path: Path) -> None:
    jsonschema.validate(read(path), MANIFESTS[path])
    broken = copy.deepcopy(read(path))
    broken["spec"]["replica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(broken, MANIFESTS[path])


def test_the_job_brings_the_cluster_of_the_cluster_file() -> None:
    lasting, of_the_job = cluster_specs()
    assert lasting == of_the_job


def test_rays_autoscaler_reads_the_gpu_pods_from_none_to_as_many_as_the_study_asks_for() -> None:
    for spec in cluster_specs():
        config = _derive_autoscaling_config_from_ray_cr(
            {"metadata": {"name": "lethe", "namespace": "here"}, "spec": spec}
        )
        head, gpu = (config["available_node_types"][name] for name in ("headgroup", "gpu"))
        assert head["resources"]["CPU"] == 0
        assert (gpu["min_workers"], gpu["max_workers"]) == (0, 4)
        assert gpu["resources"]["GPU"] == 1
        assert gpu["resources"]["CPU"] >= 4
        assert config["idle_timeout_minutes"] == 10
        requests, limits = spec["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"].values()
        assert requests == limits


def test_the_jobs_command_is_one_of_ours_on_a_study_that_the_image_holds() -> None:
    words = shlex.split(read(RAY_JOB)["spec"]["entrypoint"])
    assert words[0] == "lethe"
    assert words[1] in {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    assert words[-2:] == ["--address", "auto"]
    image = (FOLDER / "Dockerfile").read_text()
    assert "WORKDIR /opt/lethe\n" in image
    assert "COPY --chown=ray configs configs\n" in image
    study = read_study(ROOT / Path(words[2]).relative_to("/opt/lethe"), words[3:-2])
    pods = read(RAY_JOB)["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"]
    assert study.resources.workers == pods / study.resources.trial.gpu


def test_pods_have_one_image_of_this_ray_and_one_token_and_are_closed_to_others() -> None:
    assert f"FROM rayproject/ray:{ray.__version__}-py311\n" in (FOLDER / "Dockerfile").read_text()
    [label] = read(POLICY)["spec"]["podSelector"]["matchLabels"].items()
    among_themselves, operator = read(POLICY)["spec"]["ingress"]
    assert among_themselves == {"from": [{"podSelector": {"matchLabels": dict([label])}}]}
    assert operator["ports"] == [{"protocol": "TCP", "port": 8265}]
    images = set()
    for spec in cluster_specs():
        assert spec["rayVersion"] == ray.__version__
        assert spec["authOptions"] == {"mode": "token", "secretName": "lethe-ray-token"}
        for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
            assert label in group["template"]["metadata"]["labels"].items()
            [container] = group["template"]["spec"]["containers"]
            assert [variable["name"] for variable in container["env"]] == ["LETHE_RESULTS"]
            assert container["env"][0]["value"].startswith("s3://")
            images.add(container["image"])
    assert len(images) == 1


# SLURM

STAND_INS = {
    "srun": 'while [[ $1 == --* ]]; do shift; done\nexec "$@"',
    "scontrol": 'tr , "\\n" <<<"$SLURM_JOB_NODELIST"',
}
JOBS = count(os.getpid() * 100)


class Job:
    """A job of the batch script on nodes of one core, as SLURM would start it; all of them are this machine.

    Attributes:
        temp: Ray's folder.
    """

    def __init__(self, folder: Path, *arguments: object, nodes: str = "first,second", **stand_ins: str) -> None:
        number = next(JOBS)
        self.temp = Path(f"/tmp/lethe-job-{number}")
        commands = write_commands(folder / f"bin-{number}", STAND_INS | stand_ins)
        environment = {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "LETHE_VENV": str(Path(sys.executable).parents[1]),
            "SLURM_JOB_ID": str(number),
            "SLURM_JOB_NODELIST": nodes,
            "SLURM_CPUS_PER_TASK": "1",
        }
        self.process = subprocess.Popen(
            [FOLDER / "slurm.sh", *map(str, arguments)],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ended(self) -> tuple[int, str]:
        """Wait for the end; give the exit code and what was said."""
        output, _ = self.process.communicate(timeout=300)
        return self.process.returncode, output


@pytest.fixture
def submit(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts jobs, and ends those that a failed test leaves behind."""
    jobs = []

    def start(*arguments: object, **options: str) -> Job:
        jobs.append(Job(tmp_path, *arguments, **options))
        return jobs[-1]

    yield start
    for job in jobs:
        if job.process.poll() is None:
            job.process.terminate()
            job.process.communicate(timeout=60)


def processes() -> dict[tuple[int, str], int]:
    """All processes, by number and time of start, with the number of their parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(path.parent.name), fields[19]] = int(fields[1])
    return found


def command_of(pid: int) -> str:
    """A process's command; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def family(pid: int) -> set[tuple[int, str]]:
    """A process's children, their children, and so on."""
    found = processes()
    members, parents = set(), {pid}
    while parents:
        children = {process for process, parent in found.items() if parent in parents}
        members |= children
        parents = {number for number, _ in children}
    return members


def wait_for(job: Job, done: Callable[[], bool]) -> None:
    until = time.monotonic() + 480
    while not done():
        assert job.process.poll() is None, job.ended()[1]
        assert time.monotonic() < until, "waited for eight minutes"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_slurm_job_ends_cleanly_when_told_and_the_next_one_goes_on_on_one_node_to_the_same_numbers(
    submit: Callable[..., Job],
    lethe_here: Callable[..., tuple[int, str]],
    write_study: Callable[..., Path],
    tmp_path: Path,
) -> None:
    study = write_study(search={"trials": 12, "window": 2}, resources={"workers": 1})
    results = tmp_path / "results"
    job = submit(study, "--results", results)
    wait_for(job, lambda: len(list((results / "tables" / "trials" / "tiny").glob("*.parquet"))) >= 2)
    of_the_job = family(job.process.pid)
    assert sum("raylet/raylet" in command_of(pid) for pid, _ in of_the_job) == 2
    assert stat.S_IMODE(job.temp.stat().st_mode) & 0o077 == 0
    job.process.send_signal(signal.SIGTERM)
    code, output = job.ended()
    assert code == 130, output
    assert "Running on Ray: 2 nodes, 2 CPU" in output
    assert "the same command goes on from here" in output
    until = time.monotonic() + 60
    while left := of_the_job & processes().keys():
        assert time.monotonic() < until, left
        time.sleep(0.1)
    assert not job.temp.exists()

    numbers = "select number, lr, density, gap, status from trials order by number"
    assert 2 <= query(numbers, results).num_rows < 12
    code, output = submit(study, "--results", results, nodes="first").ended()
    assert code == 0, output
    assert "Running on Ray: 1 node, 1 CPU" in output
    assert "oracle (noise floor)" in output
    code, output = lethe_here("run", study, "--local", "--results", tmp_path / "alone")
    assert code == 0, output
    assert query(numbers, results).to_pylist() == query(numbers, tmp_path / "alone").to_pylist()


def test_a_slurm_job_whose_node_does_not_come_says_so_and_ends(
    submit: Callable[..., Job], write_study: Callable[..., Path], tmp_path: Path
) -> None:
    broken = '[[ $* == *"ray start"* ]] && echo "srun: no such node" >&2 && exit 1\n' + STAND_INS["srun"]
    job = submit(write_study(), "--results", tmp_path / "results", srun=broken)
    code, output = job.ended()
    assert code == 1, output
    assert "lethe: Ray did not start on all of first second" in output
    assert not job.temp.exists()
