"""A retailer's own system: takes whatever is posted to it and writes down headers and body as they came.

Where it knows a secret, it takes only what is signed with that.
"""

from __future__ import annotations

from standardwebhooks import Webhook, WebhookVerificationError

from tests.providers.serving import Answer, Request, StandIn, serve


class Receiver(StandIn):
    """Keeps every request; without a secret, its tests check the signatures."""

    def is_send(self, request: Request) -> bool:
        return request.method == "POST"

    def said(self, status: int) -> Answer:
        return Answer(status, b"as ordered", {"content-type": "text/plain"})

    def answer(self, request: Request) -> Answer:
        if "secret" in self.config:
            try:
                Webhook(self.config["secret"]).verify(request.body, dict(request.headers))
            except WebhookVerificationError:
                return self.said(401)
            if request.headers.get("content-type") != "application/json":
                self.keep(kind="violation", what="the body is JSON, and content-type says so")
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
