"""What does one transaction see? Every record class on one connection."""

import sqlalchemy as sa

from m2s.adapters.storage.access import SqlAccess
from m2s.adapters.storage.catalog import SqlCatalog
from m2s.adapters.storage.coupons import SqlCoupons
from m2s.adapters.storage.dead_letters import SqlDeadLetters
from m2s.adapters.storage.decisions import SqlDecisions
from m2s.adapters.storage.devices import SqlDevices
from m2s.adapters.storage.histories import SqlHistories
from m2s.adapters.storage.identities import SqlIdentities
from m2s.adapters.storage.jobs import SqlJobs
from m2s.adapters.storage.messages import SqlMessages
from m2s.adapters.storage.opt_outs import SqlOptOuts
from m2s.adapters.storage.purchases import SqlPurchases
from m2s.adapters.storage.receipts import SqlOppositions, SqlReceipts
from m2s.adapters.storage.regulars import SqlRegulars
from m2s.adapters.storage.reports import SqlReports
from m2s.adapters.storage.research import SqlResearch
from m2s.adapters.storage.retention import SqlRetention
from m2s.adapters.storage.sightings import SqlSightings
from m2s.adapters.storage.spending import SqlSpending
from m2s.adapters.storage.webhooks import SqlWebhooks


class SqlRecords:
    """Everything kept, seen through one connection; valid inside that connection's transactions only."""

    def __init__(self, connection: sa.Connection) -> None:
        self.catalog = SqlCatalog(connection)
        self.access = SqlAccess(connection)
        self.devices = SqlDevices(connection)
        self.sightings = SqlSightings(connection)
        self.decisions = SqlDecisions(connection)
        self.messages = SqlMessages(connection)
        self.coupons = SqlCoupons(connection)
        self.regulars = SqlRegulars(connection)
        self.reports = SqlReports(connection)
        self.jobs = SqlJobs(connection)
        self.retention = SqlRetention(connection)
        self.dead_letters = SqlDeadLetters(connection)
        self.identities = SqlIdentities(connection)
        self.purchases = SqlPurchases(connection)
        self.research = SqlResearch(connection)
        self.histories = SqlHistories(connection)
        self.spending = SqlSpending(connection)
        self.opt_outs = SqlOptOuts(connection)
        self.webhooks = SqlWebhooks(connection)
        self.receipts = SqlReceipts(connection)
        self.oppositions = SqlOppositions(connection)
