"""Which kinds of files can be read, and by what? A new format is one module here and one line below."""

from collections.abc import Callable, Iterable, Mapping

from m2s.adapters.importers.csv_file import read_csv
from m2s.adapters.importers.customers_csv import read_customers
from m2s.adapters.importers.geojson import read_geojson
from m2s.adapters.importers.purchases_csv import read_purchases
from m2s.adapters.importers.rows_csv import Line
from m2s.adapters.importers.traces import Reading, Recording
from m2s.adapters.importers.traces_csv import read_csv_trace
from m2s.adapters.importers.traces_gpx import read_gpx
from m2s.adapters.importers.traces_jsonl import read_jsonl
from m2s.adapters.importers.traces_owntracks import read_owntracks
from m2s.core.places.store import Store

STORE_READERS: Mapping[str, Callable[[str, str | None], list[Store]]] = {
    "geojson": read_geojson,
    "csv": read_csv,
    "osm": read_geojson,
}
"""How each format of store files is read."""

TRACE_READERS: Mapping[str, Callable[[bytes, Reading], Recording]] = {
    "gpx": read_gpx,
    "owntracks": read_owntracks,
    "jsonl": read_jsonl,
    "csv": read_csv_trace,
}
"""How each format of recorded traces is read; all raise Invalid for what is of another format."""

ROW_READERS: Mapping[str, Callable[[Iterable[str]], Iterable[Line]]] = {
    "purchases": read_purchases,
    "customers": read_customers,
}
"""How the lines of each kind of CSV file are read, one by one; all raise Invalid for a header that is not right."""


def read_stores(text: str, file_format: str, *, timezone: str | None) -> list[Store]:
    """The stores of a file's text in the format `geojson`, `osm` (GeoJSON too) or `csv`; raises Invalid."""
    return STORE_READERS[file_format](text, timezone)
