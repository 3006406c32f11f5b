"""A local SMS gateway as there are many: one path for JSON, one for forms, one that answers in plain text."""

from __future__ import annotations

import json
import xml.etree.ElementTree
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.serving import Answer, Request, StandIn, in_json, serve


class Gateway(StandIn):
    """Takes `to`, `text` and `ref` in any of its ways."""

    def is_send(self, request: Request) -> bool:
        return request.headers.get("x-order", "yes") == "yes"

    def said(self, status: int) -> Answer:
        return in_json(status, {"error": {"code": f"E{status}"}})

    def answer(self, request: Request) -> Answer:
        if request.headers.get("x-api-key") != self.config["key"]:
            return in_json(401, {"error": {"code": "AUTH"}})
        path = urlsplit(request.path)
        asked = self._asked(path.path, path.query, request)
        if asked is None:
            return in_json(404, {"error": {"code": "PATH"}})
        code = {"0610": "STOP", "0614": "NUMBER", "0500": "BUSY"}.get(asked["to"][-4:])
        if code is not None:
            return in_json(200, {"error": {"code": code}})
        self.keep(kind="accepted", id=f"gw-{asked['ref']}", asked=asked, headers=dict(request.headers))
        if path.path == "/plain":
            return Answer(200, f"OK id={asked['ref']}".encode(), {"content-type": "text/plain"})
        return in_json(202, {"messages": [{"id": f"gw-{asked['ref']}"}]})

    def _asked(self, path: str, query: str, request: Request) -> dict[str, Any] | None:
        match request.method, path:
            case "POST", "/json":
                found: dict[str, Any] = json.loads(request.body)
                return found
            case "POST", "/form":
                return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            case "POST", "/xml":
                # The body is our own test's.
                root = xml.etree.ElementTree.fromstring(request.body)  # noqa: S314
                return {part.tag: part.text for part in root}
            case "GET", "/plain":
                return {name: values[0] for name, values in parse_qs(query).items()}
        return None


if __name__ == "__main__":
    serve(Gateway)
