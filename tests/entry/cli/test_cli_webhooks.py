"""Can endpoints be made and ended by commands, with and without a server, and is a secret printed once?"""

from __future__ import annotations

import json

from tests.entry.cli.conftest import Running, Shell

URL = "https://shop.example/m2s"


def test_an_endpoint_is_made_given_a_new_secret_and_removed(shop: Shell) -> None:
    first = shop.run("webhooks", "add", URL, "--event", "visit.*", "--event", "coupon.redeemed")
    secret = first.stdout.strip()
    assert secret.startswith("whsec_")
    (row,) = json.loads(shop.run("webhooks", "list", "--json").stdout)["webhooks"]
    assert (row["url"], row["events"], row["state"]) == (URL, "visit.* coupon.redeemed", "active")
    assert row["webhook_id"] in first.stderr
    rotated = json.loads(shop.run("webhooks", "rotate", row["webhook_id"], "--json").stdout)
    assert rotated["secret"] != secret
    assert secret not in shop.run("webhooks", "list").stdout
    assert shop.run("webhooks", "remove", row["webhook_id"]).stdout == f"{row['webhook_id']} is removed\n"
    assert json.loads(shop.run("webhooks", "list", "--json").stdout) == {"webhooks": []}


def test_what_cannot_be_called_is_refused_with_what_would_be_right(shop: Shell) -> None:
    refused = shop.run("webhooks", "add", "http://shop.example/", code=1)
    assert "only https" in refused.stderr
    unknown = shop.run("webhooks", "add", URL, "--event", "visits", code=1)
    assert "visit.started" in unknown.stderr
    assert "no webhook 'whk_x'" in shop.run("webhooks", "remove", "whk_x", code=1).stderr


def test_beside_a_server_the_server_does_it(running: Running, shop: Shell) -> None:
    made = json.loads(shop.run("webhooks", "add", URL, "--json").stdout)
    (row,) = json.loads(shop.run("webhooks", "list", "--json").stdout)["webhooks"]
    assert row["webhook_id"] == made["webhook_id"]
    assert running.process.poll() is None
