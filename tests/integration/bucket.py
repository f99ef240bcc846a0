"""A Google Cloud Storage bucket on loopback, as far as its JSON API is used."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

from google.cloud import storage

from tests.integration.loopback import Loopback, Reply, answer, loopback

NAME = "media"
_OBJECTS = f"/storage/v1/b/{NAME}/o"


@dataclass(slots=True)
class Object:
    """A live version of an object."""

    generation: int
    metadata: dict[str, str] | None


@dataclass(slots=True)
class Bucket:
    """Objects by name. `refusals` are what the next requests are answered with instead."""

    receiver: Loopback
    page_size: int = 100
    objects: dict[str, Object] = field(default_factory=dict)
    refusals: list[Reply] = field(default_factory=list)
    _generations: int = 1_795_000_000_000_000

    def put(self, name: str, metadata: dict[str, str] | None = None) -> None:
        """Upload an object, over the one of that name."""
        self._generations += 1
        self.objects[name] = Object(self._generations, metadata)

    def client(self) -> storage.Client:
        """Return a client of Google's, pointed here."""
        return storage.Client(
            project=None, client_options={"api_endpoint": self.receiver.url}, use_auth_w_custom_endpoint=False
        )

    async def reply(self, writer: asyncio.StreamWriter) -> bool:
        """Answer the request that came in last."""
        return await self._answer()(writer)

    def _answer(self) -> Reply:
        if self.refusals:
            return self.refusals.pop(0)
        request = self.receiver.received[-1]
        url = urlsplit(request.target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if (request.method, url.path) == ("GET", _OBJECTS):
            return answer(200, self._listing(query))
        if request.method == "DELETE" and url.path.startswith(f"{_OBJECTS}/"):
            return self._deletion(unquote(url.path.removeprefix(f"{_OBJECTS}/")), query)
        return refusal(404, "no such bucket")

    def _listing(self, query: dict[str, str]) -> dict[str, Any]:
        after = query.get("pageToken", "")
        names = sorted(name for name in self.objects if name.startswith(query.get("prefix", "")) and name > after)
        page = names[: self.page_size]
        fields = re.fullmatch(r"items\((.*)\),nextPageToken", query["fields"])
        assert fields is not None
        listing: dict[str, Any] = {}
        if page:
            listing["items"] = [self._item(name, fields[1].split(",")) for name in page]
        if len(page) < len(names):
            listing["nextPageToken"] = page[-1]
        return listing

    def _item(self, name: str, fields: list[str]) -> dict[str, Any]:
        found = self.objects[name]
        item = {"name": name, "generation": str(found.generation), "metadata": found.metadata, "size": "1"}
        return {key: value for key, value in item.items() if key in fields and value is not None}

    def _deletion(self, name: str, query: dict[str, str]) -> Reply:
        if name not in self.objects:
            return refusal(404, f"No such object: {NAME}/{name}")
        if query["ifGenerationMatch"] != str(self.objects[name].generation):
            return refusal(412, "At least one of the pre-conditions you specified did not hold.")
        del self.objects[name]
        return answer(204, b"")


def refusal(status: int, message: str) -> Reply:
    """Answer with an error as the API words it."""
    return answer(status, json.dumps({"error": {"code": status, "message": message}}).encode())


@asynccontextmanager
async def bucket_on_loopback() -> AsyncIterator[Bucket]:
    """Run a bucket.

    Google's library would ask it about itself too, in a thread of its own and whenever it likes, to label traces.
    """
    untraced = patch.dict(os.environ, {"DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true"})
    async with loopback() as receiver:
        bucket = Bucket(receiver)
        receiver.reply = bucket.reply
        with untraced:
            yield bucket
