"""A reader of line protocol, written from its description and knowing nothing of our writer."""

from typing import Any, NamedTuple


class Read(NamedTuple):
    """A line as it was read; time in ns."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Any]
    time: int


def read_line(line: str) -> Read:
    """Read one line, character by character."""
    head, place = _until(line, 0, " ")
    measurement, *tags = _split(head, ",")
    fields: dict[str, Any] = {}
    while True:
        key, place = _until(line, place, "=")
        value, place, end = _value(line, place)
        fields[_plain(key)] = value
        if end == " ":
            break
    pairs = [_split(tag, "=") for tag in tags]
    return Read(
        _plain(measurement),
        {_plain(key): _plain(value) for key, value in pairs},
        fields,
        int(line[place:]),
    )


def _until(text: str, place: int, stop: str) -> tuple[str, int]:
    """Text up to a character that no backslash stands before, and the place behind it."""
    start = place
    while text[place] != stop or text[place - 1] == "\\":
        place += 1
    return text[start:place], place + 1


def _split(text: str, at: str) -> list[str]:
    parts, start = [], 0
    for place, character in enumerate(text):
        if character == at and text[place - 1] != "\\":
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _value(text: str, place: int) -> tuple[Any, int, str]:
    if text[place] == '"':
        found = ""
        place += 1
        while text[place] != '"':
            if text[place] == "\\" and text[place + 1] in '"\\':
                place += 1
            found += text[place]
            place += 1
        return found, place + 2, text[place + 1]
    start = place
    while text[place] not in ", ":
        place += 1
    return _number(text[start:place]), place + 1, text[place]


def _number(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


def _plain(text: str) -> str:
    for character in ",= ":
        text = text.replace("\\" + character, character)
    return text
