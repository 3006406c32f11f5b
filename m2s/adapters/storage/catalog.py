"""Where are stores, campaigns and the catalog's version kept?"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.statements import columns, upsert, upsert_text, values
from m2s.adapters.storage.tables_catalog import campaign_versions, campaigns, meta, stores
from m2s.app.rows import CampaignRow
from m2s.core.base.errors import NotFound
from m2s.core.base.instants import to_ms

_VERSION = "catalog_version"
_AT_ONCE = 1_000


class SqlCatalog:
    """Stores, campaigns and the catalog's version."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def version(self) -> int:
        """The catalog's version; 0 when nothing was ever published."""
        return int(self.setting(_VERSION) or 0)

    def raise_version(self) -> int:
        """Adds one to the catalog's version and returns it."""
        raised = self.version() + 1
        self.keep_setting(_VERSION, str(raised))
        return raised

    def setting(self, key: str) -> str | None:
        """A value kept with the database."""
        return self._connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))

    def keep_setting(self, key: str, value: str) -> None:
        """Keeps a value with the database, in place of an earlier one."""
        upsert(self._connection, meta, values={"key": key, "value": value})

    def store_features(self, *, after: int = 0) -> Iterator[str]:
        """Every store put after this version, as the JSON text of its GeoJSON feature, sorted by id."""
        query = sa.select(stores.c.feature).where(stores.c.version > after).order_by(stores.c.id)
        return iter(self._connection.scalars(query).yield_per(_AT_ONCE))

    def has_store(self, store_id: str) -> bool:
        """Whether there is such a store."""
        return self._connection.scalar(sa.select(stores.c.id).where(stores.c.id == store_id)) is not None

    def put_stores(self, features: Mapping[str, str], *, version: int, at: datetime) -> None:
        """Adds or replaces stores by id; `version` is the one with which they come into force."""
        names = ("id", "feature", "version", "updated_at")
        when = to_ms(at)
        rows = [(store_id, feature, version, when) for store_id, feature in features.items()]
        if rows:
            self._connection.exec_driver_sql(upsert_text(stores, names), rows)

    def campaigns(self) -> list[CampaignRow]:
        """Every campaign ever applied, sorted by id."""
        query = sa.select(*columns(campaigns, CampaignRow)).order_by(campaigns.c.id)
        return [CampaignRow(*row) for row in self._connection.execute(query)]

    def put_campaign(self, row: CampaignRow) -> None:
        """Adds or replaces a campaign; a version once kept stays as it was first applied."""
        upsert(self._connection, campaigns, values=values(row))
        kept = insert(campaign_versions).on_conflict_do_nothing()
        self._connection.execute(
            kept,
            {
                "campaign_id": row.id,
                "version": row.version,
                "yaml": row.yaml,
                "applied_at": row.applied_at,
            },
        )

    def first_applied(self) -> dict[str, datetime]:
        """When each campaign was put into force first."""
        kept = campaign_versions.c
        query = sa.select(kept.campaign_id, sa.func.min(kept.applied_at)).group_by(kept.campaign_id)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def set_campaign_state(self, campaign_id: str, state: str) -> None:
        """Sets `active`, `paused` or `stopped`; raises NotFound when there is no such campaign."""
        change = sa.update(campaigns).where(campaigns.c.id == campaign_id).values(state=state)
        if not self._connection.execute(change).rowcount:
            raise NotFound(f"there is no campaign {campaign_id!r}")
