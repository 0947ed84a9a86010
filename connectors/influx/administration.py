"""Sets an InfluxDB up for Wakeline: buckets with their retention, and tokens; again and again.

What is there already stays. Tokens are known by their description; a token that is replaced ends.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import influxdb_client
import msgspec
import urllib3.exceptions
from influxdb_client.client.exceptions import InfluxDBError

from connectors.influx.catalogue import KEEP_DAYS
from connectors.influx.client import Access
from connectors.influx.lines import (
    PIPELINE_BUCKET,
    alerts_bucket,
    features_bucket,
    minutes_bucket,
)
from connectors.influx.tokens import SITE, WORKER, TokenStore
from streams.errors import BadInput, SinkUnavailable

# The library is not typed.
_influx: Any = influxdb_client

DAY_S = 86_400
ADMIN = "wakeline"
TIMEOUT_MS = 10_000

_PARTS = {"minutes": minutes_bucket, "features": features_bucket, "alerts": alerts_bucket}


class Wish(msgspec.Struct, frozen=True):
    """What should be there.

    ``keep_days`` maps parts (`KEEP_DAYS`) to retention; a bucket that is there keeps its own for
    parts that are not named. ``password`` is for setting up a fresh server.
    """

    sites: list[str]
    keep_days: Mapping[str, int]
    password: str | None = None


class Outcome(msgspec.Struct):
    """What was done, by name."""

    server: str = "was set up already"
    created: list[str] = []
    changed: list[str] = []
    kept: list[str] = []
    tokens_made: list[str] = []
    tokens_kept: list[str] = []


def set_up(admin: Access, wish: Wish, store: TokenStore) -> Outcome:
    """Bring an InfluxDB to what is wished; ``admin`` has an operator's token.

    Raises
    ------
    SinkUnavailable
        If no InfluxDB answers.
    BadInput
        If it refuses the token, or a fresh one cannot be set up with what is given.
    """
    client = _client(admin, admin.token)
    try:
        return _SetUp(client, admin, wish).run(store)
    except InfluxDBError as error:
        raise BadInput(_said(error, admin)) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SinkUnavailable(f"no InfluxDB answers at {admin.url}: {_cause(error)}") from None
    finally:
        client.close()


class _SetUp:
    def __init__(self, client: Any, admin: Access, wish: Wish) -> None:  # noqa: ANN401 - not typed
        self._client = client
        self._admin = admin
        self._wish = wish
        self._outcome = Outcome()

    def run(self, store: TokenStore) -> Outcome:
        self._onboard()
        organisation = self._organisation()
        buckets = self._buckets(organisation)
        self._tokens(organisation, buckets, store)
        return self._outcome

    def _onboard(self) -> None:
        """Give a fresh server its first user, its organisation and its operator's token."""
        service = _influx.SetupService(self._client.api_client)
        if not service.get_setup().allowed:
            return
        if not self._wish.password:
            raise BadInput(
                f"the InfluxDB at {self._admin.url} is fresh: give it a password for its first "
                "user in WAKELINE_INFLUX_ADMIN_PASSWORD"
            )
        days = self._wish.keep_days.get("pipeline", KEEP_DAYS["pipeline"])
        request = _influx.OnboardingRequest(
            username=ADMIN,
            password=self._wish.password,
            org=self._admin.org,
            bucket=PIPELINE_BUCKET,
            token=self._admin.token,
            retention_period_seconds=days * DAY_S,
        )
        service.post_setup(request)
        self._outcome.server = "is set up now"
        self._outcome.created.append(PIPELINE_BUCKET)

    def _organisation(self) -> str:
        found = self._client.organizations_api().find_organizations(org=self._admin.org)
        if not found:
            raise BadInput(
                f"InfluxDB at {self._admin.url} has no organisation {self._admin.org!r}: "
                "set WAKELINE_INFLUX_ORG"
            )
        return str(found[0].id)

    def _buckets(self, organisation: str) -> dict[str, str]:
        """Make what is missing; give the ids of all of Wakeline's buckets by name."""
        api = self._client.buckets_api()
        found = {b.name: b for b in api.find_buckets_iter(org_id=organisation) if _is_ours(b.name)}
        for name, part in self._wanted():
            days = self._wish.keep_days.get(part)
            bucket = found.get(name)
            if bucket is None:
                rules = _rules(KEEP_DAYS[part] if days is None else days)
                found[name] = api.create_bucket(
                    bucket_name=name, org=self._admin.org, retention_rules=rules
                )
                self._outcome.created.append(name)
            elif days is not None and _seconds(bucket) != days * DAY_S:
                self._outcome.changed.append(
                    f"{name} (kept {_kept(_seconds(bucket))}, now {_kept(days * DAY_S)})"
                )
                bucket.retention_rules = _rules(days)
                api.update_bucket(bucket=bucket)
            elif name not in self._outcome.created:
                self._outcome.kept.append(name)
        return {name: str(bucket.id) for name, bucket in found.items()}

    def _wanted(self) -> Iterator[tuple[str, str]]:
        yield PIPELINE_BUCKET, "pipeline"
        for site in self._wish.sites:
            for part, bucket in _PARTS.items():
                yield bucket(site), part

    def _tokens(self, organisation: str, buckets: Mapping[str, str], store: TokenStore) -> None:
        """Make the tokens that are missing or do not reach all they should; end the old ones."""
        reach = {WORKER: (sorted(buckets), ["read", "write"])}
        for site in self._wish.sites:
            names = [PIPELINE_BUCKET, *(bucket(site) for bucket in _PARTS.values())]
            reach[f"{SITE}{site}"] = (names, ["read"])
        there, made, ended = store.read(), {}, []
        api = self._client.authorizations_api()
        known = api.find_authorizations(org_id=organisation)
        for name, (names, actions) in reach.items():
            if name in there and self._reaches(there[name], names):
                self._outcome.tokens_kept.append(name)
                continue
            ended += [token for token in known if token.description == _description(name)]
            permissions = [
                _permission(organisation, buckets[bucket], action)
                for bucket in names
                for action in actions
            ]
            wanted = _influx.Authorization(org_id=organisation, permissions=permissions)
            wanted.description = _description(name)
            made[name] = api.create_authorization(authorization=wanted).token
            self._outcome.tokens_made.append(name)
        if made:
            store.write(made)
        for token in ended:
            api.delete_authorization(token)

    def _reaches(self, token: str, names: list[str]) -> bool:
        """Whether a token still opens all buckets it is for."""
        client = _client(self._admin, token)
        try:
            seen = {bucket.name for bucket in client.buckets_api().find_buckets_iter()}
        except InfluxDBError:
            return False
        finally:
            client.close()
        return seen.issuperset(names)


def _client(admin: Access, token: str) -> Any:  # noqa: ANN401 - not typed
    return _influx.InfluxDBClient(url=admin.url, token=token, org=admin.org, timeout=TIMEOUT_MS)


def _is_ours(name: str) -> bool:
    parts = tuple(f"-{part}" for part in _PARTS)
    return name == PIPELINE_BUCKET or (name.startswith("wakeline-") and name.endswith(parts))


def _description(name: str) -> str:
    return f"wakeline {name}"


def _permission(organisation: str, bucket: str, action: str) -> Any:  # noqa: ANN401 - not typed
    resource = _influx.PermissionResource(org_id=organisation, type="buckets", id=bucket)
    return _influx.Permission(action=action, resource=resource)


def _rules(days: int) -> list[Any]:
    # An empty list would leave an earlier rule as it is.
    return [_influx.BucketRetentionRules(type="expire", every_seconds=days * DAY_S)]


def _seconds(bucket: Any) -> int:  # noqa: ANN401 - not typed
    return sum(int(rule.every_seconds) for rule in bucket.retention_rules)


def _kept(seconds: int) -> str:
    return f"{seconds / DAY_S:g} days" if seconds else "for ever"


def _said(error: InfluxDBError, admin: Access) -> str:
    status = getattr(error.response, "status", None)
    if status in {401, 403}:
        return (
            f"InfluxDB at {admin.url} refuses the token: set WAKELINE_INFLUX_ADMIN_TOKEN to an "
            "operator's"
        )
    return f"InfluxDB at {admin.url} refuses a request: {error.message or status}"


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2]
