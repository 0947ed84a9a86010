"""Looks whether an InfluxDB would take results, without writing a point."""

from collections.abc import Iterable
from typing import Any

import influxdb_client
import urllib3.exceptions
from influxdb_client.client.exceptions import InfluxDBError

from connectors.influx.client import Access
from connectors.influx.lines import (
    PIPELINE_BUCKET,
    alerts_bucket,
    features_bucket,
    minutes_bucket,
)
from streams.errors import BadInput, SinkUnavailable

# The library is not typed.
_influx: Any = influxdb_client

TIMEOUT_MS = 10_000


def missing_buckets(access: Access, sites: Iterable[str]) -> list[str]:
    """Buckets that results of some sites need and that the token cannot write to.

    Raises
    ------
    SinkUnavailable
        If no InfluxDB answers.
    BadInput
        If it refuses the token, or does not know the organisation.
    """
    per_site = (minutes_bucket, features_bucket, alerts_bucket)
    wanted = [PIPELINE_BUCKET, *(name(site) for site in sorted(sites) for name in per_site)]
    client = _influx.InfluxDBClient(
        url=access.url, token=access.token, org=access.org, timeout=TIMEOUT_MS
    )
    try:
        return [name for name in wanted if not _takes(client, access, name)]
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = str(getattr(error, "reason", None) or error).rpartition(": ")[2]
        raise SinkUnavailable(f"no InfluxDB answers at {access.url}: {reason}") from None
    finally:
        client.close()


def _takes(client: Any, access: Access, bucket: str) -> bool:  # noqa: ANN401 - not typed
    """Whether the token may write to a bucket: a write of no point is judged like any other."""
    try:
        _influx.WriteService(client.api_client).post_write(access.org, bucket, body="")
    except InfluxDBError as error:
        status = getattr(error.response, "status", None)
        message = str(error.message)
        if status == 404 and "organization" in message:
            raise BadInput(
                f"InfluxDB at {access.url} has no organisation {access.org!r}: set "
                "WAKELINE_INFLUX_ORG"
            ) from None
        if status == 401:
            raise BadInput(
                f"InfluxDB at {access.url} refuses the token: set WAKELINE_INFLUX_TOKEN to the one "
                "that `wakeline setup influx` wrote"
            ) from None
        if status not in {403, 404}:
            raise SinkUnavailable(f"InfluxDB at {access.url}: {message}") from None
        return False
    return True
