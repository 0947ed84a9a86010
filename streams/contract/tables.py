"""The record types as Markdown tables: fields, ranges, units and meaning."""

import inspect
import re
from collections.abc import Iterator
from itertools import groupby

import msgspec.inspect as mi
from msgspec import Struct

from streams.events import RECORD_TYPES, TOPIC_OF_SCHEMA, Envelope

BEGIN_TABLES = "<!-- generated tables: make contract -->"
END_TABLES = "<!-- end of generated tables -->"

_NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def with_current_tables(page: str) -> str:
    """Replace the generated tables of the contract's Markdown page (see `with_tables`)."""
    return with_tables(page, BEGIN_TABLES, END_TABLES, record_tables())


def with_tables(page: str, begin: str, end: str, tables: str) -> str:
    """Replace what stands between two comments of a Markdown page.

    Raises
    ------
    ValueError
        When the page lacks the two comments between which the tables stand.
    """
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the page lacks the comments {begin} and {end}")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def record_tables() -> str:
    """Markdown: the envelope, then each record type by topic, with fields, ranges and units."""
    parts = ["### Envelope\n\n" + _field_table(Envelope, without={"records"})]
    for topic, schemas in groupby(RECORD_TYPES, key=TOPIC_OF_SCHEMA.__getitem__):
        parts.append(f"### Topic `{topic}`\n")
        parts.extend(_record_section(schema) for schema in schemas)
    parts.append("### Members of enums\n\n" + "\n".join(_enum_lines()) + "\n")
    return "\n".join(parts)


def as_markdown(docstring: str) -> str:
    """Give a docstring as Markdown, with the names of fields as they are on the wire."""
    return _NAME.sub(_on_the_wire, inspect.cleandoc(docstring).replace("``", "`"))


def _on_the_wire(found: re.Match[str]) -> str:
    name = found.group(1)
    if f"{name}/1" in RECORD_TYPES:
        return found.group(0)
    first, *others = name.split("_")
    return f"`{first}{''.join(map(str.capitalize, others))}`"


def described(struct: type[Struct]) -> str:
    """Give the docstring of a struct as Markdown."""
    return as_markdown(struct.__doc__ or "")


def headline(struct: type[Struct]) -> str:
    """Give the first paragraph of a struct's docstring, in one line."""
    return described(struct).split("\n\n")[0].replace("\n", " ")


def _record_section(schema: str) -> str:
    record = RECORD_TYPES[schema]
    parts = [f"#### `{schema}`\n\n{described(record)}\n\n{_field_table(record)}"]
    parts.extend(
        f"Fields of `{struct.__name__}`: {described(struct)}\n\n{_field_table(struct)}"
        for struct in _nested(record)
    )
    return "\n".join(parts)


def _fields(struct: type[Struct]) -> tuple[mi.Field, ...]:
    info = mi.type_info(struct)
    assert isinstance(info, mi.StructType)
    return info.fields


def _nested(struct: type[Struct]) -> Iterator[type[Struct]]:
    for field in _fields(struct):
        match _unwrapped(field.type)[0]:
            case mi.StructType(cls=inner):
                yield inner
            case mi.ListType(item_type=mi.StructType(cls=inner)):
                yield inner
            case mi.DictType(value_type=mi.StructType(cls=inner)):
                yield inner


def _field_table(struct: type[Struct], without: frozenset[str] | set[str] = frozenset()) -> str:
    rows = ["| field | type | range | meaning |", "|---|---|---|---|"]
    for field in _fields(struct):
        if field.encode_name in without:
            continue
        kind, text = _unwrapped(field.type)
        optional = "" if field.required else "?"
        rows.append(
            f"| `{field.encode_name}`{optional} | {_type_name(kind)} | {_range(kind)} | {text} |"
        )
    return "\n".join(rows) + "\n"


def _unwrapped(kind: mi.Type) -> tuple[mi.Type, str]:
    """Give the type below annotations and ``| None``, with its description."""
    if isinstance(kind, mi.Metadata):
        schema = kind.extra_json_schema or {}
        inner, text = _unwrapped(kind.type)
        return inner, str(schema.get("description", text))
    if isinstance(kind, mi.UnionType):
        members = [member for member in kind.types if not isinstance(member, mi.NoneType)]
        return _unwrapped(members[0])
    if isinstance(kind, mi.EnumType):
        return kind, _enum_doc(kind)
    return kind, "The subject's local date." if isinstance(kind, mi.DateType) else ""


def _enum_doc(kind: mi.EnumType) -> str:
    return (inspect.getdoc(kind.cls) or "").split("\n\n")[0].replace("\n", " ")


def _type_name(kind: mi.Type) -> str:
    match kind:
        case mi.IntType():
            return "integer"
        case mi.FloatType():
            return "number"
        case mi.BoolType():
            return "boolean"
        case mi.DateType():
            return "date `YYYY-MM-DD`"
        case mi.EnumType():
            return f"enum `{kind.cls.__name__}`"
        case mi.StructType():
            return f"`{kind.cls.__name__}`"
        case mi.ListType():
            return f"list of {_type_name(_unwrapped(kind.item_type)[0])}"
        case mi.DictType():
            return f"text → {_type_name(_unwrapped(kind.value_type)[0])}"
    return "text"


def _range(kind: mi.Type) -> str:
    match kind:
        case mi.IntType() | mi.FloatType():
            low = f"> {kind.gt:g}" if kind.gt is not None else f"{kind.ge:,.10g}"
            steps = "" if kind.multiple_of is None else f", in steps of {kind.multiple_of:g}"
            return f"{low} to {kind.le:,.10g}{steps}"
        case mi.StrType(pattern=str() as pattern):
            return f"`{pattern.replace('|', chr(92) + '|')}`"
        case mi.StrType(max_length=int() as longest):
            return f"up to {longest} characters"
        case mi.ListType(max_length=int() as longest) | mi.DictType(max_length=int() as longest):
            return f"up to {longest}"
    return ""


def _enum_lines() -> Iterator[str]:
    seen: dict[str, str] = {}
    for record in RECORD_TYPES.values():
        for kind in _enums(mi.type_info(record)):
            members = ", ".join(str(member.value) for member in kind.cls)
            seen[kind.cls.__name__] = f"* `{kind.cls.__name__}`: {members}. {_enum_doc(kind)}"
    yield from seen.values()


def _enums(kind: mi.Type) -> Iterator[mi.EnumType]:
    inner, _ = _unwrapped(kind)
    match inner:
        case mi.EnumType():
            yield inner
        case mi.StructType():
            for field in inner.fields:
                yield from _enums(field.type)
        case mi.ListType():
            yield from _enums(inner.item_type)
        case mi.DictType():
            yield from _enums(inner.value_type)
