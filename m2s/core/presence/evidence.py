"""What does one sighting say about one zone of one store? Evidence: never coordinates, only distances and signals."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """How the phone knew."""

    LOCATION = "location"
    GEOFENCE = "geofence"
    BEACON = "beacon"


class Transition(StrEnum):
    """What the operating system reported about a region."""

    ENTER = "enter"
    EXIT = "exit"
    DWELL = "dwell"


# In Python 3.11 an enumeration is asked for a member by its metaclass: forty times as slow as a name of the module, and
# these are asked for with every piece of evidence.
LOCATION, GEOFENCE, BEACON = Kind
ENTER, EXIT, DWELL = Transition


# Made for every hit and every row read, four times as fast as a dataclass. Nobody changes one.
class Evidence(msgspec.Struct, gc=False):
    """One sighting's word on one padded zone.

    `inside_probability` is 0 to 1 for a position; 1 for a fence enter or dwell, 0 for an exit; 1 for a beacon.
    `boundary_distance_m` is signed, negative inside (positions only). `samples` are the readings that a
    beacon sighting carries, each as (milliseconds before `at_ms`, RSSI in dBm); `place` is the beacon's place label,
    `measured_power_dbm` its power at 1 m.
    """

    shopper_id: str
    store_id: str
    zone_id: str
    device_id: str
    sighting_id: str
    kind: Kind
    at_ms: int
    inside_probability: float
    boundary_distance_m: float | None = None
    accuracy_m: float | None = None
    speed_mps: float | None = None
    transition: Transition | None = None
    beacon: str | None = None
    place: str | None = None
    measured_power_dbm: int | None = None
    samples: tuple[tuple[int, int], ...] = ()
    mocked: bool = False
