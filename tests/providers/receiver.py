"""A retailer's own system: takes whatever is posted to it and writes down headers and body as they came."""

from __future__ import annotations

from tests.providers.serving import Answer, Request, StandIn, serve


class Receiver(StandIn):
    """Keeps every request; its tests check the signatures."""

    def is_send(self, request: Request) -> bool:
        return request.method == "POST"

    def said(self, status: int) -> Answer:
        return Answer(status, b"as ordered", {"content-type": "text/plain"})

    def answer(self, request: Request) -> Answer:
        self.keep(
            kind="accepted",
            path=request.path,
            headers=dict(request.headers),
            body=request.body.decode(),
            connection=request.connection,
        )
        return Answer(204)


if __name__ == "__main__":
    serve(Receiver)
