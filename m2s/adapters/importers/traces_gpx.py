"""Which positions are in this GPX file? Track points with a time; one file is one phone.

Read point by point with expat, so that a file which breaks off gives what stands before. A document type declaration
is refused, and with it every entity that could grow.
"""

from xml.parsers.expat import ExpatError, ParserCreate
from zoneinfo import ZoneInfo

from m2s.adapters.importers.traces import Gathering, Reading, Recording, instant, number
from m2s.core.base.errors import Invalid

METRES_PER_HDOP = 5.0
"""GPX tells no accuracy in metres, at most how the satellites stood: of 1 a phone in the open makes about 5 m."""
_UTC = ZoneInfo("UTC")
_MARKS = frozenset({"wpt", "rtept"})
_TOLD = frozenset({"time", "hdop", "speed"})


def read_gpx(data: bytes, reading: Reading) -> Recording:
    """The track points of a GPX file. Times without offset are UTC, as GPX wants it, unless the reading names a zone.

    Raises Invalid for what is not GPX.
    """
    points = _Points(reading)
    points.read(data)
    return points.gathering.recording()


class _Points:
    """What expat calls while it goes through the file."""

    def __init__(self, reading: Reading) -> None:
        self.gathering = Gathering(reading)
        self._zone = reading.zone or _UTC
        self._parser = ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._begun = False
        self._point: dict[str, str] | None = None
        self._where = ""
        self._telling: str | None = None

    def read(self, data: bytes) -> None:
        try:
            self._parser.Parse(data, True)
        except (ExpatError, LookupError, ValueError) as error:
            line = self._parser.ErrorLineNumber
            if not self._begun:
                raise Invalid(f"line {line}: this is not GPX: {error}") from None
            self.gathering.leave_out("broken", f"line {line}")

    def _refuse(self, *_declared: object) -> None:
        line = self._parser.CurrentLineNumber
        raise Invalid(f"line {line}: GPX has no document type declaration; take the line <!DOCTYPE …> away")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._begun and local != "gpx":
            raise Invalid(f"this is not GPX: its first element is <{name[:60]}>, not <gpx>")
        self._begun = True
        if local == "trkpt":
            self._where = f"line {self._parser.CurrentLineNumber}"
            self._point = dict(attributes)
        elif local in _MARKS:
            self.gathering.leave_out("mark", f"line {self._parser.CurrentLineNumber}")
        elif self._point is not None and local in _TOLD and local not in self._point:
            self._telling = local
            self._point[local] = ""

    def _text(self, text: str) -> None:
        if self._point is not None and self._telling is not None:
            self._point[self._telling] += text

    def _end(self, name: str) -> None:
        self._telling = None
        if self._point is not None and name.rpartition(":")[2] == "trkpt":
            self._take(self._point)
            self._point = None

    def _take(self, point: dict[str, str]) -> None:
        time = point.get("time", "").strip()
        if not time:
            self.gathering.leave_out("no_time", self._where)
            return
        try:
            at = instant(time, self._zone, where=self._where)
        except ValueError:
            self.gathering.leave_out("bad_time", self._where)
            return
        hdop = number(point.get("hdop"))
        self.gathering.locate(
            "",
            at,
            latitude=point.get("lat"),
            longitude=point.get("lon"),
            accuracy_m=None if hdop is None else hdop * METRES_PER_HDOP,
            speed_mps=point.get("speed"),
            where=self._where,
        )
