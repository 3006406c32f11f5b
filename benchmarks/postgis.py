"""How fast is matching beside PostGIS's batch join on the same zones? Only where its server is installed."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measured import ROUNDS, Cost, Goal, Row, Skipped, compared, timed
from benchmarks.points import points_near
from benchmarks.workload import make_stores
from m2s.core.places.geojson import read_collection
from m2s.core.places.store import Store
from m2s.core.places.zone import Circle, Polygon
from m2s.core.places.zone_index import ZoneIndex

_A_CALL, _CALLS, _AGAIN = 500, 20, 10
_BINARIES = Path("/usr/lib/postgresql")
"""Where Debian keeps each version's programs."""
_SETTINGS = "-c listen_addresses= -c fsync=off -c jit=off -c shared_buffers=512MB -c max_parallel_workers_per_gather=0"
_POLYGONS = "ST_Intersects(z.area, ST_SetSRID(ST_MakePoint(p.x, p.y), 4326))"
_POINT = "ST_SetSRID(ST_MakePoint(p.x, p.y), 4326)::geography"
_CIRCLES = f"ST_DWithin(z.middle, {_POINT}, {{most_m}}) AND ST_Distance(z.middle, {_POINT}) <= z.reach_m"
_JOIN = "unnest(c.xs, c.ys) WITH ORDINALITY p(x, y, i) JOIN {table} z ON {condition}"
_END = "-- end of the answer"
_Ask = Callable[[str], list[str]]
"""Runs a statement and returns the lines of its answer."""
_FUNCTION = """
CREATE FUNCTION matched_{table}() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE c record; n bigint; total bigint := 0;
BEGIN
  FOR c IN SELECT xs, ys FROM calls ORDER BY number LOOP
    SELECT count(z.number) INTO n FROM {join};
    total := total + n;
  END LOOP;
  RETURN total;
END $$;
"""


def matches(seed: int) -> Sequence[Row | Skipped]:
    """Polygons, then circles, 500 points a call; both find the same."""
    programs = _programs()
    if programs is None:
        needed = "PostgreSQL with PostGIS (Debian: postgresql-15-postgis-3)"
        return [Skipped("match alone, against PostGIS", f"there is no {needed}")]
    stores = read_collection({"type": "FeatureCollection", "features": make_stores(seed)}, "Europe/Paris")
    points = points_near([(store.latitude, store.longitude) for store in stores], _A_CALL * _CALLS, seed=seed)
    with _session(programs) as ask:
        ask("CREATE EXTENSION postgis")
        _load_points(ask, points)
        return [
            _row("polygons", Polygon, stores, points, ask=ask, goal=80),
            _row("circles", Circle, stores, points, ask=ask, goal=50),
        ]


def _row(
    table: str,
    shape: type[Circle | Polygon],
    stores: Sequence[Store],
    points: np.ndarray,
    *,
    ask: _Ask,
    goal: float,
) -> Row:
    chosen = [
        replace(store, zones=tuple(zone for zone in store.zones if isinstance(zone.shape, shape)))
        for store in stores
    ]
    index = ZoneIndex.build(chosen)
    most_m = max(ref.zone.shape.reach_m for ref in index.zones)
    condition = _POLYGONS if shape is Polygon else _CIRCLES.format(most_m=most_m)
    join = _JOIN.format(table=table, condition=condition)
    _load_zones(ask, table, index)
    ask(_FUNCTION.format(table=table, join=join))
    calls = [np.ascontiguousarray(part.T) for part in np.split(points, _CALLS)]
    ours = {
        (call, point, zone)
        for call, part in enumerate(calls)
        for found in [index.match(*part)]
        for point, zone in zip(found.point_index.tolist(), found.zone_index.tolist(), strict=True)
    }
    theirs = {
        tuple(map(int, line.split("|")))
        for line in ask(f"SELECT c.number, p.i - 1, z.number FROM calls c CROSS JOIN LATERAL {join}")  # noqa: S608
    }
    assert ours == theirs, f"{len(ours ^ theirs)} hits of {len(theirs)} differ"

    def work() -> int:
        for _ in range(_AGAIN):
            for part in calls:
                index.match(*part)
        return _AGAIN * len(points)

    costs = []
    for _ in range(ROUNDS + 1):
        costs.append((timed(work), _asked(ask, table, len(points))))
    ours_cost, floor = zip(*costs[1:], strict=True)
    name = f"match alone, {table}, {_A_CALL} points a call, against PostGIS"
    return compared(name, ours_cost, floor, goal=Goal(goal), unit="points")


def _asked(ask: _Ask, table: str, points: int) -> Cost:
    """What one point cost the process that serves the session; the client has no part in it."""
    (process,) = ask("SELECT pg_backend_pid()")
    used = Path(f"/proc/{process}/schedstat")
    before_ns, began_ns = int(used.read_text().split()[0]), time.perf_counter_ns()
    ask(f"SELECT matched_{table}()")
    wall_ns = time.perf_counter_ns() - began_ns
    return Cost((int(used.read_text().split()[0]) - before_ns) / points / 1e3, wall_ns / points / 1e3)


def _load_points(ask: _Ask, points: np.ndarray) -> None:
    ask("CREATE TABLE calls (number int, ys float8[], xs float8[])")
    calls = [[number, *part.T.tolist()] for number, part in enumerate(np.split(points, _CALLS))]
    for number, latitudes, longitudes in calls:
        ask(f"INSERT INTO calls VALUES ({number}, ARRAY{latitudes}, ARRAY{longitudes})")  # noqa: S608


def _load_zones(ask: _Ask, table: str, index: ZoneIndex) -> None:
    if table == "polygons":
        columns, kept = (
            "number int, area geometry",
            "(e->>0)::int, ST_GeomFromWKB(decode(e->>1, 'hex'), 4326)",
        )
        rows = [
            [number, ref.zone.shape.geometry.wkb_hex]
            for number, ref in enumerate(index.zones)
            if isinstance(ref.zone.shape, Polygon)
        ]
    else:
        columns = "number int, middle geography, reach_m float8"
        kept = (
            "(e->>0)::int, ST_SetSRID(ST_MakePoint((e->>1)::float8, (e->>2)::float8), 4326), (e->>3)::float8"
        )
        rows = [
            [number, ref.zone.shape.longitude, ref.zone.shape.latitude, ref.zone.shape.reach_m]
            for number, ref in enumerate(index.zones)
        ]
    ask(f"CREATE TABLE {table} ({columns})")
    ask(f"INSERT INTO {table} SELECT {kept} FROM json_array_elements('{json.dumps(rows)}') e")  # noqa: S608
    ask(f"CREATE INDEX ON {table} USING gist ({columns.split()[2]})")
    ask(f"VACUUM ANALYZE {table}")


def _programs() -> Path | None:
    """The folder of the newest server that has PostGIS."""
    for folder in sorted(_BINARIES.glob("*/bin"), reverse=True):
        shared = subprocess.run(  # noqa: S603
            [folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if (folder / "initdb").exists() and Path(shared, "extension", "postgis.control").exists():
            return folder
    return None


@contextmanager
def _session(programs: Path) -> Iterator[_Ask]:
    """A session on a server of its own, which refuses to run as root."""
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="m2s-pg-", ignore_cleanup_errors=True) as folder:
        if user is not None:
            shutil.chown(folder, user)

        def run(*command: str) -> None:
            subprocess.run(  # noqa: S603
                [str(programs / command[0]), *command[1:]],
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-D", "data", "-A", "trust", "-U", "bench")
        run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", f"-k {folder} {_SETTINGS}", "start")
        try:
            yield from _psql(programs, folder)
        finally:
            run("pg_ctl", "-D", "data", "-m", "fast", "stop")


def _psql(programs: Path, folder: str) -> Iterator[_Ask]:
    command = [programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "bench", "postgres"]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        to, answers = client.stdin, client.stdout

        def ask(statement: str) -> list[str]:
            to.write(f"{statement};\n\\echo {_END}\n")
            to.flush()
            lines = []
            while (line := answers.readline()) != f"{_END}\n":
                if not line:
                    raise RuntimeError(f"PostgreSQL refused {statement[:200]!r}")
                lines.append(line.rstrip("\n"))
            return lines

        yield ask
        to.close()
