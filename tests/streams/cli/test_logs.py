"""Goal: logs are quiet and of one line. Method: records made by hand, a clock of our own."""

import json
import logging

import pytest
import structlog

from streams.cli.logs import REPEAT_S, SaidBefore, configure_logs


def test_repeated_message_is_let_through_once_in_a_while() -> None:
    now = [0.0]
    said_before = SaidBefore(lambda: now[0])

    def passes(message: str, *arguments: object) -> bool:
        record = logging.LogRecord("client", logging.ERROR, "", 0, message, arguments, None)
        return bool(said_before.filter(record))

    assert passes("no connection to %s", 1)
    assert not passes("no connection to %s", 2)
    assert passes("another message")
    now[0] = REPEAT_S
    assert passes("no connection to %s", 3)


@pytest.mark.usefixtures("logging_restored")
def test_every_log_is_one_line_of_json_with_the_error_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs()
    structlog.get_logger("ours").info("worker ready", parts=2)
    try:
        raise ValueError("first line\nsecond line")
    except ValueError:
        logging.getLogger("faust.app").exception("Crashed\nreason")
    logging.getLogger("aiokafka").warning("a step of many")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["parts"], ours["level"]) == ("worker ready", 2, "info")
    assert theirs["event"] == "Crashed"
    assert theirs["error"] == "ValueError: first line second line"
