"""Routes of figures: the reports as JSON or CSV."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from m2s.app.access import Role
from m2s.app.measure import Span
from m2s.app.sheet import csv_text
from m2s.entry.api.door import Door, Here, allowed
from m2s.entry.api.fields import AskedInstantOrDay, Id, check_span

router = APIRouter(route_class=Door, tags=["reports"])

Cell = str | int | float | bool | None | dict[str, int]
"""A figure, or figures by reason."""


class Table(BaseModel):
    """A report: rows are objects with the columns' names; `as_of` and `rule_version` say what they rest on."""

    name: str
    columns: list[str]
    rows: list[dict[str, Cell]]
    as_of: str
    rule_version: str


@router.get(
    "/v1/reports/{name}",
    response_model=Table,
    responses={200: {"content": {"text/csv": {}}}},
    **allowed(Role.ANALYST, Role.MANAGER),
)
def get_report(
    engine: Here,
    name: Literal["visits", "offers", "stores", "beacons"],
    since: Annotated[AskedInstantOrDay | None, Query(alias="from")] = None,
    until: Annotated[AskedInstantOrDay | None, Query(alias="to")] = None,
    store_id: Annotated[Id | None, Query()] = None,
    campaign_id: Annotated[Id | None, Query()] = None,
    format: Annotated[Literal["json", "csv"], Query()] = "json",
) -> Any:
    """The figures of a half-open span, of one store or campaign where named."""
    check_span(since, until)
    span = Span(until=until, store_id=store_id, campaign_id=campaign_id)
    if since is not None:
        span = Span(since=since, until=until, store_id=store_id, campaign_id=campaign_id)
    report = engine.reports.report(name, span)
    if format == "csv":
        return Response(csv_text(report.columns, report.rows), media_type="text/csv; charset=utf-8")
    return Table(
        name=report.name,
        columns=list(report.columns),
        rows=[dict(row) for row in report.rows],
        as_of=report.as_of,
        rule_version=report.rule_version,
    )
