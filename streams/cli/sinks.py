"""Which sink takes the results of a worker: SQLite, unless there is an InfluxDB."""

from typing import TYPE_CHECKING

from streams.settings import Settings

if TYPE_CHECKING:
    from connectors.base import ResultSink


def results_sink(settings: Settings) -> "ResultSink":
    """Give the sink that the settings name.

    Raises
    ------
    BadInput
        If there is an InfluxDB and no token for it, or the SQLite file is none.
    """
    if settings.influx_url is None:
        from connectors.sqlite import SqliteResults

        return SqliteResults(settings.results)
    from connectors.influx.client import Access
    from connectors.influx.sink import InfluxResults

    token = settings.influx_worker_token()
    return InfluxResults(Access(url=settings.influx_url, token=token, org=settings.influx_org))
