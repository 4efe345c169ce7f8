"""Where work runs: this process or a Ray cluster, its warm workers, and the data that they share."""

from lethe.cluster._causes import (
    LIMITS,
    Cause,
    ClusterError,
    ClusterFailedError,
    LostWorkError,
    cause_of,
    given_up,
    told,
)
from lethe.cluster._connect import connect
from lethe.cluster._connection import Connection, Local, OnRay
from lethe.cluster._crew import Crew, Done, Steps, Watch
from lethe.cluster._device import DeviceError, cap_memory, claim_device, has_mps, memory_held, resources_here
from lethe.cluster._kinds import Kind, kinds_of
from lethe.cluster._luggage import luggage
from lethe.cluster._muster import Node, muster
from lethe.cluster._room import Room, fitting
from lethe.cluster._shelf import Shelf
from lethe.cluster._stop import Stop, stopping_on_signals

__all__ = [
    "LIMITS",
    "Cause",
    "ClusterError",
    "ClusterFailedError",
    "Connection",
    "Crew",
    "DeviceError",
    "Done",
    "Kind",
    "Local",
    "LostWorkError",
    "Node",
    "OnRay",
    "Room",
    "Shelf",
    "Steps",
    "Stop",
    "Watch",
    "cap_memory",
    "cause_of",
    "claim_device",
    "connect",
    "fitting",
    "given_up",
    "has_mps",
    "kinds_of",
    "luggage",
    "memory_held",
    "muster",
    "resources_here",
    "stopping_on_signals",
    "told",
]
