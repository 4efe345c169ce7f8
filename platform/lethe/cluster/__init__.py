"""Where work runs: this process or a Ray cluster, its warm workers, and the data that they share."""

from lethe.cluster._connect import ClusterError, Connection, Local, OnRay, connect, fitting
from lethe.cluster._crew import Crew, Done
from lethe.cluster._device import DeviceError, claim_device, resources_here
from lethe.cluster._shelf import Shelf

__all__ = [
    "ClusterError",
    "Connection",
    "Crew",
    "DeviceError",
    "Done",
    "Local",
    "OnRay",
    "Shelf",
    "claim_device",
    "connect",
    "fitting",
    "resources_here",
]
