"""The topics of the two apps, as raw bytes: decoding is the pure part's, with dead letters."""

import faust
from faust.types import TopicT

from streams.events import INGEST_TOPICS, OUTPUT_TOPICS

RESULT_TOPICS: tuple[str, ...] = tuple(dict.fromkeys(OUTPUT_TOPICS.values()))
"""The output topics, all of which the app `results` reads."""


def ingest_topics(app: faust.App) -> TopicT:
    """All ingest topics as one, so that a partition number's topics move to one worker."""
    return _raw(app, INGEST_TOPICS)


def result_topics(app: faust.App) -> TopicT:
    """All output topics as one."""
    return _raw(app, RESULT_TOPICS)


def _raw(app: faust.App, names: tuple[str, ...]) -> TopicT:
    return app.topic(
        *names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
