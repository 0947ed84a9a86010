"""A real InfluxDB 2 for tests and benchmarks, set up with a token of our choice."""

import os
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3

from tests.servers.installs import INFLUXDB, find
from tests.servers.server import LOOPBACK, Launch, NotReady, Server

ORG = "wakeline"
# What the set-up asks for beside; `clear` removes the bucket.
FIRST_BUCKET = "first"
CHECK_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 30.0
# As many as InfluxDB lists at once.
PAGE = 100
CONTAINER_PORT = 8086


class RefusedRequest(Exception):
    """Raised when InfluxDB answers a request with an error."""


class InfluxServer(Server):
    """InfluxDB on a free loopback port, with the organisation `org` and an operator's `token`.

    Parameters
    ----------
    options
        Further options of ``influxd``, without their dashes:
        ``{"storage-cache-max-memory-size": "33554432"}``.
    """

    title = INFLUXDB.title

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.org = ORG
        self.token = secrets.token_urlsafe(32)
        self._operator = ""
        self._options = {"reporting-disabled": "true", "log-level": "warn", **(options or {})}

    @property
    def url(self) -> str:
        """Base of its addresses."""
        return f"http://{self.address}"

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request with the operator's token and return the decoded JSON, if any.

        Parameters
        ----------
        method, path
            Such as ``"GET", "/api/v2/buckets"``.
        arguments
            As `urllib3.request` takes them: ``fields``, ``json``, ``body``.

        Raises
        ------
        RefusedRequest
            If the answer is not a success.
        """
        answer = urllib3.request(
            method,
            self.url + path,
            headers={"Authorization": f"Token {self.token}"},
            timeout=REQUEST_TIMEOUT_S,
            retries=False,
            **arguments,
        )
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise RefusedRequest(f"{method} {path}: {answer.status} {answer.data.decode()}")
        return answer.json() if answer.data else None

    def query(self, bucket: str, query: str) -> list[dict[str, Any]]:
        """Rows that an InfluxQL query gives, tags and columns together; times in seconds."""
        fields = {"db": bucket, "q": query, "epoch": "s"}
        results = self.request("GET", "/query", fields=fields)["results"]
        if errors := [result["error"] for result in results if "error" in result]:
            raise RefusedRequest(f"{query}: {errors[0]}")
        return [
            series.get("tags", {}) | dict(zip(series["columns"], values, strict=True))
            for result in results
            for series in result.get("series", ())
            for values in series["values"]
        ]

    def clear(self) -> None:
        """Remove all buckets with their data, and all tokens but the operator's."""
        buckets = self.request("GET", "/api/v2/buckets", fields={"limit": str(PAGE)})["buckets"]
        users = [bucket["id"] for bucket in buckets if bucket["type"] == "user"]
        for identifier in users:
            self.request("DELETE", f"/api/v2/buckets/{identifier}")
        for token in self.request("GET", "/api/v2/authorizations")["authorizations"]:
            if token["id"] != self._operator:
                self.request("DELETE", f"/api/v2/authorizations/{token['id']}")
        if len(buckets) == PAGE:
            self.clear()

    def _plan(self, folder: Path) -> Launch:
        installation = find(INFLUXDB)
        options = [f"--{name}={value}" for name, value in self._options.items()]
        if isinstance(installation, str):
            return self._plan_container(installation, options)
        files = {
            "bolt-path": "influxd.bolt",
            "sqlite-path": "influxd.sqlite",
            "engine-path": "engine",
        }
        return Launch(
            prepare=(),
            run=(
                str(installation / "influxd"),
                f"--http-bind-address={self.address}",
                *(f"--{option}={folder / name}" for option, name in files.items()),
                *options,
            ),
            discard=("true",),
            # Not this environment: it may hold settings of another InfluxDB.
            environment={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
        )

    def _plan_container(self, image: str, options: list[str]) -> Launch:
        name = f"wakeline-influxdb-{secrets.token_hex(8)}"
        published = f"--publish={LOOPBACK}:{self.port}:{CONTAINER_PORT}"
        return Launch(
            prepare=(
                ("docker", "create", f"--name={name}", published, image, "influxd", *options),
            ),
            run=("docker", "start", "--attach", name),
            discard=("docker", "rm", "--force", "--volumes", name),
            environment=dict(os.environ),
            container=name,
        )

    def _check(self) -> None:
        try:
            answer = urllib3.request(
                "GET", f"{self.url}/health", timeout=CHECK_TIMEOUT_S, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise NotReady(str(error)) from error
        if answer.status != HTTPStatus.OK:
            raise NotReady(answer.data.decode())

    def _set_up(self) -> None:
        wishes = {
            "username": "operator",
            "password": secrets.token_urlsafe(16),
            "org": self.org,
            "bucket": FIRST_BUCKET,
            "token": self.token,
        }
        answer = self.request("POST", "/api/v2/setup", json=wishes)
        self._operator = answer["auth"]["id"]
        self.clear()
