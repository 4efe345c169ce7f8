"""Studies as jobs of a Ray cluster, which continue after the machine that sent them is switched off."""

from lethe.submit._bundle import JobBundle, pack
from lethe.submit._server import Job, JobServer

__all__ = ["Job", "JobBundle", "JobServer", "pack"]
