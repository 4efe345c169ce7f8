"""The job server of a Ray cluster: sends studies, and lists, follows and stops what was sent."""

import asyncio
import logging
import os
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

from lethe.execution import ray_settings
from lethe.execution.failures import ClusterError
from lethe.execution.plugin_code import with_plugins
from lethe.execution.reach import knock
from lethe.execution.runtime_env import runtime_env
from lethe.plugins import packages_of
from lethe.storage.credentials import without_credentials
from lethe.submit._bundle import STUDY_FILE, JobBundle

Answer = TypeVar("Answer")

NO_AGENT = "No available agent"
"""What a job server says while the head's own agent has not come up."""

AGENT_PATIENCE_S = 60.0
"""How long a head that has just been started may say that it is not ready for jobs."""

DROP_PATIENCE_S = 60.0
"""How long the server may be out of reach while a log is followed."""

READ_AGAIN_S = 1.0
"""Seconds before a log that broke off is read again."""

PROGRESS_LINE = re.compile(r"(\d+ %) · .*?(?:(about .* left))?$")
"""The lines that say how far a run is (`lethe.results.progress.RunProgress.line`)."""

STOP_PATIENCE_S = 600
"""How long a study that was asked to stop may take to end cleanly before Ray kills it."""


@dataclass(frozen=True)
class Job:
    """A study that was submitted.

    Attributes:
        job_id: its name on the cluster.
        study: the study's name.
        status: Ray's word: pending, running, succeeded, failed or stopped.
        began: when it was submitted.
        ended: None while it has not.
        exit_code: of ``lethe run``; None where that never began or was stopped.
        message: Ray's explanation of the status.
    """

    job_id: str
    study: str
    status: str
    began: datetime
    ended: datetime | None
    exit_code: int | None
    message: str

    @classmethod
    def of(cls, details: JobDetails) -> "Job":
        """Read what Ray reports of a job."""
        return cls(
            details.submission_id,
            details.metadata["study"],
            details.status.lower(),
            _time(details.start_time),
            _time(details.end_time) if details.end_time else None,
            details.driver_exit_code,
            details.message or "",
        )

    @property
    def took_s(self) -> float:
        """Seconds from being submitted to the end, or until now."""
        return ((self.ended or datetime.now(UTC)) - self.began).total_seconds()


class JobServer:
    """The job server at one address.

    Args:
        address: such as ``http://127.0.0.1:8265``.

    Raises:
        ClusterError: the address has another form, no job server answers there, or its token is another. All methods
            raise it too when the server is lost.
    """

    def __init__(self, address: str) -> None:
        self.address = without_credentials(address.rstrip("/"))
        _check_listens(address, self.address)
        for module in ("dashboard_sdk", "job.sdk"):
            logging.getLogger(f"ray.dashboard.modules.{module}").setLevel("ERROR")
        logging.getLogger("ray").setLevel("ERROR")
        if not ray_settings.has_token():
            ray_settings.set_mode("disabled")
        os.environ["RAY_API_SERVER_ADDRESS"] = address.rstrip("/")  # Ray prefers it to the address that it is given
        with self._told():
            self._client = JobSubmissionClient(address.rstrip("/"))

    def submit(self, bundle: JobBundle, python: str) -> str:
        """Send a study and have the head run it.

        Args:
            python: the Python that the head's Ray runs on.

        Returns:
            The job's name on the cluster.
        """
        environment = with_plugins(runtime_env(), packages_of(bundle.study))
        environment["working_dir"] = str(bundle.archive)
        environment["env_vars"] |= {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_PATIENCE_S)}
        if bundle.results is not None:
            environment["env_vars"] |= {"LETHE_RESULTS": bundle.results}
        job_id = f"{bundle.study.name}-{secrets.token_hex(4)}"

        def send() -> None:
            with self._told():
                self._client.submit_job(
                    entrypoint=f"exec {shlex.quote(python)} -m lethe run {STUDY_FILE} --address auto",
                    submission_id=job_id,
                    runtime_env=environment,
                    metadata={"study": bundle.study.name},
                )

        _patiently(send, AGENT_PATIENCE_S, NO_AGENT)
        return job_id

    def jobs(self) -> list[Job]:
        """List the studies that were submitted, the oldest first; other jobs of the cluster are left out."""
        with self._told():
            listed = self._client.list_jobs()
        studies = [details for details in listed if details.submission_id and "study" in (details.metadata or {})]
        return sorted(map(Job.of, studies), key=lambda job: job.began)

    def job(self, job_id: str) -> Job:
        """Return one study.

        Raises:
            ClusterError: there is no such job; the message lists those that are there.
        """
        jobs = {job.job_id: job for job in self.jobs()}
        if job_id not in jobs:
            raise ClusterError(f"no job {job_id} at {self.address}; jobs there: {', '.join(jobs) or 'none'}")
        return jobs[job_id]

    def log(self, job_id: str) -> str:
        """Return what a study has printed."""
        self.job(job_id)
        with self._told():
            log: str = self._client.get_job_logs(job_id)
        return log

    def progress(self, job: Job) -> str:
        """Return how far a study is, and how long the rest takes, by the last line of its log that says so."""
        if job.status == "pending":
            return ""
        with self._told():
            log: str = self._client.get_job_logs(job.job_id)
        said = next((found for line in reversed(log.splitlines()) if (found := PROGRESS_LINE.match(line))), None)
        return ", ".join(part for part in said.groups() if part) if said else ""

    def follow(self, job_id: str, show: Callable[[str], None]) -> Job:
        """Show what a study has printed and prints from now on, until it ends; return how it ended."""
        self.job(job_id)
        reader = _Reader(show)
        while True:
            with suppress(aiohttp.ClientError, OSError, RuntimeError):
                asyncio.run(reader.read(self._client, job_id))
            job = _patiently(lambda: self.job(job_id), DROP_PATIENCE_S)
            if job.ended:
                return job
            time.sleep(READ_AGAIN_S)

    def stop(self, job_id: str) -> bool:
        """Have a study end cleanly, as on Ctrl-C; what had finished is kept.

        Returns:
            Whether it was still running.
        """
        self.job(job_id)
        with self._told():
            running: bool = self._client.stop_job(job_id)
        return running

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            problem = "has another token than is given here"
            if not ray_settings.has_token():
                problem = "demands its token, and there is none here"
            raise ClusterError(f"the job server {self.address} {problem}: {ray_settings.SET_TOKEN}") from error
        except (OSError, RuntimeError, KeyError) as error:
            if NO_AGENT in str(error):
                raise ClusterError(
                    f"the job server {self.address} says {NO_AGENT}: where another Ray on that machine holds its port, "
                    "give the head another by `ray start --dashboard-agent-listen-port`"
                ) from error
            raise ClusterError(f"the job server {self.address} refused the request: {error}") from error


class _Reader:
    """Shows a log from where it stopped, however often reading restarts."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._shown = 0

    async def read(self, client: JobSubmissionClient, job_id: str) -> None:
        passed = 0
        async for text in client.tail_job_logs(job_id):
            fresh = text[max(0, self._shown - passed) :]
            passed += len(text)
            if fresh:
                self._show(fresh)
                self._shown = passed


def _check_listens(address: str, shown: str) -> None:
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterError(f"{shown} is no job server: wanted http://HOST:PORT, such as http://127.0.0.1:8265")
    try:
        knock(parts.hostname, port)
    except OSError as error:
        raise ClusterError(
            f"no job server answers at {shown} ({error}); see that the head runs with its dashboard, and where it is "
            "another machine, that a tunnel leads there: ssh -L 8265:127.0.0.1:8265 HEAD"
        ) from error


def _patiently(call: Callable[[], Answer], patience_s: float, passing: str = "") -> Answer:
    """Call again, a second apart, while that fails with an error that says ``passing``."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except ClusterError as error:
            if passing not in str(error) or time.monotonic() > until:
                raise
        time.sleep(1)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
