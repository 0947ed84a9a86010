"""What the pure pipeline is told, and when its state is written: no environment, no files."""

from typing import Annotated

from msgspec import Meta, Struct

from detectors.config import DetectionConfig

HOUR_S = 3_600
DAY_S = 86_400

Partitions = Annotated[int, Meta(ge=1)]


class PipelineConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the pipeline; part of what settled results are a function of.

    ``lateness_s``: how long after a window's end data for it are taken in. ``grace_s``: how long
    after its end a provisional row waits. ``skew_s``: by how much a topic's clock may lead.
    ``detection``: what the site decides; ``projects``: all of that for projects that decide
    otherwise, by their ``projectId``.
    """

    partitions: Partitions = 4
    lateness_s: Annotated[float, Meta(ge=0)] = 72.0 * HOUR_S
    grace_s: Annotated[float, Meta(ge=0)] = 300.0
    skew_s: Annotated[float, Meta(ge=0)] = 2.0 * HOUR_S
    detection: DetectionConfig = DetectionConfig()
    projects: dict[str, DetectionConfig] = {}


class CheckpointPolicy(Struct, frozen=True, kw_only=True):
    """How often state is written: after so many seconds or messages, whichever is first.

    Both give way where writing would take more than a tenth of the time. What former owners wrote
    is written anew within half of ``compaction_lag_s``.
    """

    interval_s: float = 30.0
    messages: int = 1_000_000
    compaction_lag_s: float = 3_600.0
