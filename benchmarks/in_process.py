"""What does the whole job cost beside writing the rows alone? In process, 500 sightings a commit, one core."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.workload import Traffic, fill, make_stores
from m2s.adapters.storage.engine import database_path, write_engine
from m2s.adapters.storage.migrate import upgrade
from m2s.adapters.storage.records import SqlRecords
from m2s.app.matching import _row, _timed, Matched, Tally
from m2s.app.sighting import Batch
from m2s.bootstrap import build_engine
from m2s.core.base.instants import to_ms
from m2s.settings import load_settings
