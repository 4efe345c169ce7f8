"""A cluster of two machines, as docs/cluster.md starts it: by `ray up` over SSH, which runs the commands of "by hand".

The machines are namespaces of this one, each with a network address, a host name, processes and a home of its own,
joined by a cable (a veth pair). They share the file system, as machines share a network folder. `ssh` and `rsync` are
stand-ins that do on the other machine what the real ones would.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lethe.results import query

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TOKEN = "0123456789abcdef" * 4
HEAD_IP, WORKER_IP = "10.77.0.1", "10.77.0.2"
NAMESPACES = ["--net", "--uts", "--mount", "--pid"]
TRIALS_FOR_THE_WORKER = {"workers": 1, "trial": {"cpu": 2}}
"""The head's machine, where the driver runs, is given one core, and the worker's two."""

ON_THE_TARGET = """
case $target in
    *@$HEAD_IP | *@$HEAD_IP:*) enter=(env "HOME=$HEAD_HOME") ;;
    *@$WORKER_IP | *@$WORKER_IP:*)
        enter=(nsenter "--target=$WORKER_PID" --net --uts --mount --pid env "HOME=$WORKER_HOME")
        ;;
    *) echo "no machine at $target" >&2 && exit 255 ;;
esac
exec "${enter[@]}" bash -c "$command"
"""
STAND_INS = {
    "ssh": """
while [[ $1 == -* ]]; do
    case $1 in -i | -o) shift 2 ;; *) shift ;; esac
done
target=$1 command=${*:2}"""
    + ON_THE_TARGET,
    "rsync": """
source=${*: -2:1} target=${*: -1} path=${*: -1}
path=${path#*:}
command="mkdir -p $(dirname "$path") && cp -rT ${source%/} ${path%/}\""""
    + ON_THE_TARGET,
    "ray": f"""
[[ $1 == stop ]] && echo "somebody ran ray stop" | tee -a "$STOPS" && exit 1
exec {BIN}/ray "$@\"""",
    "lethe": f'exec {BIN}/lethe "$@"',
    "python": f"""
[[ "$*" == "-m pip install"* ]] && exit 0
exec {BIN}/python "$@\"""",
}
"""What stands in the machines' virtual environment: the real commands, but for those that need a network or do harm."""


@dataclass(frozen=True)
class Machine:
    """A machine made of namespaces.

    Attributes:
        pid: its first process, as seen from here.
        home: its user's home.
    """

    pid: int
    home: Path

    def command(self, *arguments: object) -> list[str]:
        """Return a command that runs another on the machine."""
        enter = ["nsenter", f"--target={self.pid}", "--user", "--preserve-credentials", *NAMESPACES]
        return [*enter, "env", f"HOME={self.home}", f"RAY_TMPDIR={self.home}", *map(str, arguments)]

    def run(self, *arguments: object, code: int = 0, **options: Any) -> str:
        """Run a command on the machine to its end, which has an exit code; return what it said."""
        done = subprocess.run(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            **options,
        )
        assert done.returncode == code, done.stdout
        return done.stdout


def innermost(pid: int) -> int:
    """The process at the end of a chain of only children, once it sleeps for ever."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        last = pid
        while children := Path(f"/proc/{last}/task/{last}/children").read_text().split():
            last = int(children[0])
        if Path(f"/proc/{last}/comm").read_text() == "sleep\n":
            return last
        time.sleep(0.05)
    raise AssertionError("the namespace did not start")


@contextmanager
def machine(name: str, inside: Machine | None = None) -> Iterator[Machine]:
    """A machine without a network; switching it off ends its processes, and the machines inside."""
    new = [
        "unshare",
        *NAMESPACES,
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        f"hostname {name}; sleep inf & wait",
    ]
    new[1:1] = [] if inside else ["--user", "--map-root-user"]
    process = subprocess.Popen(inside.command(*new) if inside else new)
    home = Path(tempfile.mkdtemp(prefix="lr-"))
    try:
        yield Machine(innermost(process.pid), home)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def pid_outside(machine: Machine) -> str:
    """The number of a machine's process as the machine sees it that it is inside of."""
    [line] = [line for line in Path(f"/proc/{machine.pid}/status").read_text().splitlines() if line.startswith("NSpid")]
    return line.split()[-2]


def permitted() -> str:
    """Why machines cannot be made of namespaces here; nothing where they can."""
    if missing := [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]:
        return f"no {missing[0]} on this machine"
    trial = ["unshare", "--user", "--map-root-user", *NAMESPACES, "--fork", "--mount-proc", "ip", "link", "add"]
    done = subprocess.run(
        [*trial, "v0", "type", "veth", "peer", "name", "v1"], capture_output=True, text=True, check=False
    )
    return f"namespaces are not permitted here: {done.stderr.strip()}" if done.returncode else ""


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, Machine]]:
    """The head's machine and the worker's, joined by a cable."""
    if reason := permitted():
        pytest.skip(reason)
    with machine("head") as head, machine("worker", inside=head) as worker:
        cable = ["type", "veth", "peer", "name", "eth0", "netns", pid_outside(worker)]
        head.run("ip", "link", "add", "eth0", *cable)
        for end, address in ((head, HEAD_IP), (worker, WORKER_IP)):
            for arguments in ("link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up"):
                end.run("ip", *arguments.split())
            end.run("ip", "route", "add", "default", "dev", "eth0")
        yield head, worker


def settings(token: str) -> dict[str, str]:
    """What the environment says on each machine."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}


def nodes_of_trials(results: Path) -> list[str]:
    """The host names of the machines that tried something."""
    return query("select distinct node from trials order by node", results).column("node").to_pylist()


@pytest.mark.slow
def test_machines_of_ones_own_are_started_by_ray_up_run_a_study_and_refuse_one_with_another_token(
    machines: tuple[Machine, Machine], write_study: Callable[..., Path], tmp_path: Path
) -> None:
    head, worker = machines
    study = write_study(search={"trials": 2, "window": 2}, resources=TRIALS_FOR_THE_WORKER)
    results, file = tmp_path / "results", tmp_path / "on_premise.yaml"
    text = (ROOT / "configs" / "cluster" / "on_premise.yaml").read_text()
    for ours, theirs in {
        "192.168.1.10": HEAD_IP,
        "[192.168.1.11, 192.168.1.12]": f"[{WORKER_IP}]",
        "/tmp/lethe-ray ": "$HOME/t ",
        "/nfs/YOUR-SHARE/lethe": str(results),
        "ray start\n    --head": "ray start --num-cpus=1 --include-dashboard=false --head",
        "ray start --address": "ray start --num-cpus=2 --address",
    }.items():
        assert ours in text
        text = text.replace(ours, theirs)
    file.write_text(text)

    laptop, stops = tmp_path / "laptop", tmp_path / "stops"
    (laptop / ".ssh").mkdir(parents=True)
    (laptop / ".ssh" / "id_ed25519").write_text("no key\n")
    (laptop / ".lethe-ray-token").write_text(TOKEN + "\n")
    for home in (laptop, head.home, worker.home):
        folder = home / ".lethe-venv" / "bin"
        folder.mkdir(parents=True)
        for name, script in STAND_INS.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}\n")
            (folder / name).chmod(0o755)
    environment = {
        "HEAD_IP": HEAD_IP,
        "HEAD_HOME": str(head.home),
        "WORKER_IP": WORKER_IP,
        "WORKER_HOME": str(worker.home),
        "WORKER_PID": pid_outside(worker),
        "PATH": f"{laptop}/.lethe-venv/bin:{os.environ['PATH']}",
        "RAY_UP_enable_autoscaler_v2": "0",
        "STOPS": str(stops),
    }

    def ray(*arguments: object) -> str:
        at_the_laptop = ["env", f"--chdir={ROOT}", f"HOME={laptop}", f"RAY_TMPDIR={laptop}"]
        return head.run(*at_the_laptop, "ray", *arguments, env=os.environ | environment)

    ray("up", "--yes", "--no-config-cache", file)
    until = time.monotonic() + 240
    log = worker.home / ".lethe-ray.log"
    while not (log.exists() and "Ray runtime started" in log.read_text()):
        assert time.monotonic() < until, "the worker's machine started no Ray"
        time.sleep(0.2)
    while "2 local.cluster.node" not in (status := ray("exec", file, "ray status")):
        assert time.monotonic() < until, status

    address = f"{HEAD_IP}:6379"
    join = ["timeout", "300", BIN / "ray", "start", "--block", "--disable-usage-stats", f"--address={address}"]
    refused = worker.run(*join, env=os.environ | settings(TOKEN[::-1]), code=1)
    assert "Authentication token is missing or incorrect" in refused

    auto = "python -c 'from lethe.execution._address import find_head; print(find_head(\"auto\"))'"
    output = ray("exec", file, f"{auto} && lethe run {study} --address {address}")
    assert address in output.splitlines()
    assert "Running on Ray: 2 nodes, 3 CPU" in output
    assert "oracle (noise floor)" in output
    assert nodes_of_trials(results) == ["worker"]
    ray("exec", file, "~/lethe/configs/cluster/ray_here.sh end")
    assert "gcs_server" not in head.run("sh", "-c", "cat /proc/[0-9]*/comm")
    assert not stops.exists(), stops.read_text()
