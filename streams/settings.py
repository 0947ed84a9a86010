"""What a deployment decides, read from the environment; nothing else in Wakeline reads it.

Every field can be set as ``WAKELINE_<NAME>``; options of a command go before the environment.
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from detectors.cohort import DEFAULT_FILE, Cohort, load_cohort
from streams.config import HOUR_S, CheckpointPolicy, PipelineConfig
from streams.errors import BadInput

HEALTH_PORTS = range(6066, 6082)
"""Ports of health pages, so that several workers can run on one machine; see `health_port`."""


class LoadedCohort(NamedTuple):
    """A cohort, and the digest of the bytes it was read from."""

    cohort: Cohort
    digest: str


class Settings(BaseSettings):
    """Settings of a worker and of the commands round it."""

    model_config = SettingsConfigDict(env_prefix="WAKELINE_", frozen=True, extra="ignore")

    # Brokers as host:port, separated by commas.
    broker: str = "127.0.0.1:9092"
    # Number of partitions of all topics; absent: the site configuration's, else 4.
    partitions: int | None = Field(default=None, ge=1, le=100_000)
    # Copies that the broker keeps of each topic, when `wakeline topics` creates them.
    replication: int = Field(default=1, ge=1, le=10)
    # How long after a window's end data for it are taken in (h); absent: as for `partitions`.
    lateness_h: float | None = Field(default=None, ge=0.0)
    # TOML file with the fields of PipelineConfig; those of DetectionConfig under [detection], and
    # where a project differs under [projects.<projectId>].
    site_config: Path | None = None
    # JSON file of a cohort that `wakeline fit-cohort` wrote; absent: the one of the package.
    cohort: Path | None = None
    # SQLite file that the app `results` writes, unless there is an InfluxDB.
    results: Path = Path("wakeline.sqlite")
    # Where InfluxDB 2 is (http://host:port); then the app `results` writes there.
    influx_url: str | None = None
    # What lets a worker in, or the file that holds it; `wakeline setup influx` writes both.
    influx_token: SecretStr | None = None
    influx_token_file: Path | None = None
    # Organisation that has the buckets.
    influx_org: str = "wakeline"
    # For `wakeline setup influx` alone: an operator's token, and the password of the first user,
    # which a fresh InfluxDB needs.
    influx_admin_token: SecretStr | None = None
    influx_admin_password: SecretStr | None = None
    # Who keeps the in-band clock: live, recorded, or START:SPEED (see `connectors.ticks`).
    ticks: str = "live"
    # How long to try to reach the broker (s).
    connect_timeout_s: float = Field(default=30.0, gt=0.0)
    # After how long without a sign of life the broker gives a worker's partitions away (s). Half
    # of it is also what the embedded broker takes to let a worker in. Kafka's own minimum is 6.
    session_timeout_s: float = Field(default=10.0, ge=2.0, le=300.0)
    # How often a worker writes its state (s), or after how many messages if that is sooner.
    checkpoint_interval_s: float = Field(default=30.0, gt=0.0)
    checkpoint_messages: int = Field(default=1_000_000, ge=1)
    # How long the broker leaves records of the state topic alone (s); it is set when
    # `wakeline topics` creates the topic, and has to be the same for all workers.
    compaction_lag_s: float = Field(default=3_600.0, gt=0.0)
    # Where a worker answers `/live`, `/ready` and `/metrics`; nobody is asked for a password there.
    health_host: str = "127.0.0.1"
    # Its port. 0: none at all. Absent: the first of `HEALTH_PORTS` that is free.
    health_port: int | None = Field(default=None, ge=0, le=65_535)
    # Port of the embedded broker that `wakeline up` starts, on the loopback interface.
    up_port: int = Field(default=9092, ge=1, le=65_535)
    # Folder in which `wakeline up` keeps its journal and its results.
    up_folder: Path = Path("wakeline-data")

    @classmethod
    def load(cls, **options: Any) -> Self:  # noqa: ANN401 - options of commands; pydantic checks them
        """Settings from the environment, with those ``options`` before it that are not None.

        Raises
        ------
        BadInput
            If a value is not what its field needs; the message names the field.
        """
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"{name} (or WAKELINE_{name.upper()}) cannot be {first.get('input')!r}: "
                f"{first['msg'].lower()}"
            ) from None

    def influx_worker_token(self) -> str:
        """Token of a worker for InfluxDB, given itself or in a file.

        Raises
        ------
        BadInput
            If there is none.
        """
        if self.influx_token is not None:
            return self.influx_token.get_secret_value()
        if self.influx_token_file is None:
            raise BadInput(
                "WAKELINE_INFLUX_URL is set and no token: set WAKELINE_INFLUX_TOKEN, which "
                "`wakeline setup influx` makes"
            )
        try:
            return self.influx_token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadInput(
                f"{self.influx_token_file} (WAKELINE_INFLUX_TOKEN_FILE) cannot be read: "
                f"{error.strerror}"
            ) from error

    def health_ports(self) -> Sequence[int]:
        """Ports to try for the health page, in this order; none: there is to be no such page."""
        if self.health_port is None:
            return HEALTH_PORTS
        return [self.health_port] if self.health_port else []

    def checkpoint_policy(self) -> CheckpointPolicy:
        """How often a worker writes its state."""
        return CheckpointPolicy(
            interval_s=self.checkpoint_interval_s,
            messages=self.checkpoint_messages,
            compaction_lag_s=self.compaction_lag_s,
        )

    def loaded_cohort(self) -> LoadedCohort:
        """The cohort that results are a function of: this file's, else the package's.

        Raises
        ------
        BadInput
            If the file is missing or holds no cohort.
        """
        if self.cohort is None:
            data = files("detectors").joinpath(DEFAULT_FILE).read_bytes()
            return LoadedCohort(load_cohort(), _digest(data))
        try:
            data = self.cohort.read_bytes()
            return LoadedCohort(load_cohort(data), _digest(data))
        except OSError as error:
            raise BadInput(f"the cohort {self.cohort} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise BadInput(f"the cohort {self.cohort} does not fit: {error}") from error

    def pipeline_config(self) -> PipelineConfig:
        """Configuration of the pure part: defaults, then the site's file, then these settings.

        Raises
        ------
        BadInput
            If the file is missing or does not fit.
        """
        config = PipelineConfig() if self.site_config is None else _read_site(self.site_config)
        if self.partitions is not None:
            config = msgspec.structs.replace(config, partitions=self.partitions)
        if self.lateness_h is not None:
            config = msgspec.structs.replace(config, lateness_s=self.lateness_h * HOUR_S)
        return config


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _read_site(path: Path) -> PipelineConfig:
    from streams.feature_names import refuse_unknown_names

    try:
        told = _with_site(msgspec.toml.decode(path.read_bytes()))
        config = msgspec.convert(told, PipelineConfig)
        for settings in (config.detection, *config.projects.values()):
            refuse_unknown_names(settings)
    except OSError as error:
        raise BadInput(f"the site configuration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"the site configuration {path} does not fit: {error}") from error
    return config


def _with_site(told: dict[str, Any]) -> dict[str, Any]:
    """The file's content with all settings of each project, which says only where it differs."""
    site, projects = told.get("detection", {}), told.get("projects", {})
    if not isinstance(site, dict) or not isinstance(projects, dict):
        return told
    whole = {
        project: {**site, **own} if isinstance(own, dict) else own
        for project, own in projects.items()
    }
    return {**told, "projects": whole}
