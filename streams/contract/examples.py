"""One valid example of every message, made from its struct.

Values come from the field's name where that is known, and from the field's type and range
otherwise; so a new record type has an example without being named.
"""

from typing import Any

import msgspec.inspect as mi
from msgspec import Struct

_BY_NAME: dict[str, Any] = {
    "activeDuration": 5_400.0,
    "asleepDuration": 25_200.0,
    "at": 1_767_607_500.0,
    "awakeDuration": 1_800.0,
    "awakenings": 3,
    "batteryLevel": 0.81,
    "by": "staff-04",
    "careTeam": "team-north",
    "category": "communication",
    "consent": {"heart_rate": {"purposes": ["CARE"], "from": 1_764_547_200.0, "version": "2"}},
    "coverage": 0.97,
    "date": "2026-01-05",
    "dayStart": "12:00",
    "duration": 60.0,
    "from": 1_764_547_200.0,
    "groups": {"ageBand": "30-39"},
    "heartRate": 62.0,
    "inBedDuration": 28_800.0,
    "instrument": "PHQ-9",
    "instrumentVersion": "1999",
    "interBeatInterval": 0.968,
    "interval": 600.0,
    "isMainSleep": True,
    "items": {"1": 1, "2": 0, "9": 0},
    "onWrist": True,
    "projectId": "site-a",
    "recordId": "r-0001",
    "restingHeartRate": 58.0,
    "rmssd": 42.5,
    "score": 1.0,
    "sdnn": 55.1,
    "sedentaryDuration": 36_000.0,
    "sourceId": "watch-1",
    "steps": 74,
    "time": 1_767_607_200.0,
    "timeInterval": 1.0,
    "timeReceived": 1_767_607_260.0,
    "timeZone": "Europe/Berlin",
    "until": 1_782_864_000.0,
    "userId": "p-017",
    "utcOffset": 3_600,
}
# A record is either at a time or of a date.
_EXCLUDED_BY: dict[str, str] = {"date": "time"}


def example(struct: type[Struct]) -> dict[str, Any]:
    """Give a valid message or record with all its fields, as JSON values."""
    info = mi.type_info(struct)
    assert isinstance(info, mi.StructType)
    return _struct_example(info)


def _struct_example(info: mi.StructType) -> dict[str, Any]:
    names = {field.encode_name for field in info.fields}
    tag = {} if info.tag_field is None else {info.tag_field: info.tag}
    return tag | {
        field.encode_name: _named(field)
        for field in info.fields
        if _EXCLUDED_BY.get(field.encode_name) not in names
    }


def _named(field: mi.Field) -> Any:  # noqa: ANN401  # any JSON value
    value = _value(field.type)
    known = _BY_NAME.get(field.encode_name, value)
    # One name can mean a number here and a mapping there, such as coverage.
    return known if isinstance(known, dict) == isinstance(value, dict) else value


def _value(kind: mi.Type) -> Any:  # noqa: ANN401  # any JSON value
    match kind:
        case mi.Metadata():
            return _value(kind.type)
        case mi.UnionType():
            return _value(kind.types[0])
        case mi.StructType():
            return _struct_example(kind)
        case mi.EnumType():
            return next(iter(kind.cls)).value
        case mi.ListType():
            return [_value(kind.item_type)]
        case mi.DictType():
            return {_value(kind.key_type): _value(kind.value_type)}
        case mi.IntType():
            return kind.ge if kind.ge is not None else 0
        case mi.FloatType():
            return kind.le if kind.le is not None else 0.0
        case mi.BoolType():
            return True
        case mi.DateType():
            return _BY_NAME["date"]
    return "example"
