"""Goal: the contract in docs/ is what the code does; method: generate, validate and decode it.

The document is held against AsyncAPI's own schema; every example goes through JSON Schema and
through the decoder, and so does every number just outside its range.
"""

import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import (  # type: ignore[import-untyped]  # the library has no types
    Draft7Validator,
    Draft202012Validator,
)
from msgspec import Struct

from connectors.kafka import topic_settings
from connectors.outputs import output_message
from streams.cli.contract import schema
from streams.contract import (
    KEPT_FOR_EVER,
    asyncapi,
    contract_json,
    example,
    with_current_figures,
    with_current_tables,
)
from streams.contract.figures import BEGIN_FIGURES, END_FIGURES
from streams.contract.tables import BEGIN_TABLES, END_TABLES
from streams.decoding import Partial, decode
from streams.errors import BadInput
from streams.events import (
    ENVELOPE_TYPES,
    INGEST_TOPICS,
    OUTPUT_TOPICS,
    DeadLetter,
    Envelope,
    Tick,
    encode_tick,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "EVENTS.md"
DOCUMENT = asyncapi()
WRITTEN: list[type[Struct]] = [kind for kind in OUTPUT_TOPICS if kind is not DeadLetter]


def _validator(struct: type[Struct]) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{struct.__name__}", **DOCUMENT})


def _is_valid(payload: dict[str, Any], schema: str) -> bool:
    return bool(_validator(ENVELOPE_TYPES[schema]).is_valid(payload))


def _refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _refs(child)
    elif isinstance(node, list):
        for child in node:
            yield from _refs(child)


def _record_schema(schema: str) -> dict[str, Any]:
    envelope = DOCUMENT["components"]["schemas"][ENVELOPE_TYPES[schema].__name__]
    name = envelope["properties"]["records"]["items"]["$ref"].rsplit("/", 1)[1]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return found


def _bounds(field: dict[str, Any]) -> Iterator[float]:
    """Numbers just outside the range of a field, if it is a number."""
    for option in field.get("anyOf", [field]):
        if "maximum" in option:
            yield option["maximum"] + 1
            yield (
                option["exclusiveMinimum"]
                if "exclusiveMinimum" in option
                else (option["minimum"] - 1)
            )


def test_the_files_in_docs_are_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    written = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    assert written == contract_json(), "run `make contract`"
    assert page == with_current_tables(page), "run `make contract`"
    features = (ROOT / "docs" / "FEATURES.md").read_text(encoding="utf-8")
    assert features == with_current_figures(features), "run `make contract`"


def test_the_document_fits_the_schema_of_asyncapi_itself() -> None:
    packed = (ROOT / "tests" / "data" / "asyncapi-3.0.0.json.gz").read_bytes()
    validator = Draft7Validator(json.loads(gzip.decompress(packed)))
    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []
    broken = {**DOCUMENT, "channels": {"sleep": {"address": 7}}}
    assert not validator.is_valid(broken)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    for ref in _refs(DOCUMENT):
        node: Any = DOCUMENT
        for key in ref.removeprefix("#/").split("/"):
            assert key in node, ref
            node = node[key]


def test_every_topic_and_every_message_is_in_the_document() -> None:
    assert set(DOCUMENT["channels"]) == set(INGEST_TOPICS) | set(OUTPUT_TOPICS.values())
    carried = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert carried == set(DOCUMENT["components"]["messages"])
    assert {schema.replace("/", ".") for schema in ENVELOPE_TYPES} < carried


@pytest.mark.parametrize("schema", ENVELOPE_TYPES)
def test_the_example_of_a_record_type_is_valid_and_decodes_to_what_it_says(schema: str) -> None:
    payload = example(ENVELOPE_TYPES[schema])
    assert _is_valid(payload, schema)
    envelope = decode(json.dumps(payload).encode())
    assert isinstance(envelope, Envelope)
    again = msgspec.json.decode(msgspec.json.encode(envelope))
    assert _is_valid(again, schema)
    # Defaults are left out on the wire; everything else comes back as it was.
    assert msgspec.convert(again, type(envelope)) == msgspec.convert(payload, type(envelope))


@pytest.mark.parametrize("schema", ENVELOPE_TYPES)
def test_a_number_outside_its_range_is_refused_by_the_contract_and_by_the_decoder(
    schema: str,
) -> None:
    for name, field in _record_schema(schema)["properties"].items():
        for value in _bounds(field):
            payload = example(ENVELOPE_TYPES[schema])
            good = payload["records"][0]
            payload["records"] = [good, {**good, name: value}]
            assert not _is_valid(payload, schema), (name, value)
            decoded = decode(json.dumps(payload).encode())
            assert isinstance(decoded, Partial), (name, value)
            assert [bad.index for bad in decoded.bad] == [1], (name, value)


@pytest.mark.parametrize(
    ("record", "is_good"),
    [
        ({"time": 1.0, "duration": 300.0, "rmssd": 40.0}, True),
        ({"date": "2026-01-05", "sdnn": 50.0}, True),
        ({"date": "2026-01-05"}, False),
        ({"rmssd": 40.0}, False),
        ({"time": 1.0, "rmssd": 40.0}, False),
        ({"time": 1.0, "duration": 300.0, "date": "2026-01-05", "rmssd": 40.0}, False),
        ({"date": "2026-01-05", "rmssd": 0.0}, False),
    ],
)
def test_the_rules_of_variability_are_in_the_contract_as_in_the_decoder(
    record: dict[str, Any], *, is_good: bool
) -> None:
    schema = "heart_rate_variability/1"
    payload = {**example(ENVELOPE_TYPES[schema]), "records": [record]}
    assert _is_valid(payload, schema) == is_good
    assert isinstance(decode(json.dumps(payload).encode()), Envelope) == is_good


@pytest.mark.parametrize("struct", WRITTEN)
def test_what_wakeline_writes_is_valid(struct: type[Struct]) -> None:
    output = msgspec.convert(example(struct), struct)
    _validator(struct).validate(msgspec.json.decode(msgspec.json.encode(output)))


def test_a_tick_is_valid() -> None:
    _validator(Tick).validate(json.loads(encode_tick(1_767_607_200.0, 4)))


def test_the_headers_of_a_dead_letter_are_those_that_are_sent() -> None:
    letter = DeadLetter(
        topic="sleep", partition=1, offset=7, reason="broken JSON", key=b"k", value=b"{", index=0
    )
    message = output_message(letter, 1, "0.1.0")
    headers = {name: value.decode() for name, value in message.headers}
    schema = DOCUMENT["components"]["messages"]["dead_letter"]["headers"]
    assert set(headers) == set(schema["properties"])
    Draft202012Validator(schema).validate(headers)


def test_topics_are_created_with_the_retention_that_the_contract_promises() -> None:
    for topic in INGEST_TOPICS:
        kafka = DOCUMENT["channels"][topic]["bindings"]["kafka"].get("topicConfiguration", {})
        assert str(kafka.get("retention.ms")) == topic_settings(topic).get("retention.ms", "None")
    assert len(KEPT_FOR_EVER) == 3


def test_the_examples_on_the_page_are_envelopes_that_wakeline_takes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    shown = [
        ast.literal_eval(node)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Dict) and ast.unparse(node).startswith("{'schema'")
    ]
    shown += [json.loads(text) for text in re.findall(r"echo '[^|]*\|(\{.*\})'", page)]
    assert len(shown) == 2
    for payload in shown:
        assert isinstance(decode(json.dumps(payload).encode()), Envelope)


def test_the_command_prints_and_writes_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema()
    assert capsys.readouterr().out == contract_json()
    document, page = tmp_path / "asyncapi.json", tmp_path / "EVENTS.md"
    schema(document)
    assert document.read_text(encoding="utf-8") == contract_json()
    page.write_text(
        f"# Events\n{BEGIN_TABLES}\noutdated\n{END_TABLES}\nthe rest\n", encoding="utf-8"
    )
    schema(page)
    text = page.read_text(encoding="utf-8")
    assert "| `heartRate` | number | 20 to 300 | Heart rate (beats/min). |" in text
    assert "outdated" not in text
    assert text.endswith("\nthe rest\n")
    page.write_text(f"# Features\n{BEGIN_FIGURES}\noutdated\n{END_FIGURES}\n", encoding="utf-8")
    schema(page)
    text = page.read_text(encoding="utf-8")
    assert "| `step_count` | Steps of the hour's minutes. |" in text
    assert "outdated" not in text


def test_the_command_refuses_a_page_without_marks_and_a_folder_that_is_not_there(
    tmp_path: Path,
) -> None:
    page = tmp_path / "other.md"
    page.write_text("# A page without marks\n", encoding="utf-8")
    with pytest.raises(BadInput, match="lacks the comments"):
        schema(page)
    with pytest.raises(BadInput, match="cannot write"):
        schema(tmp_path / "absent" / "asyncapi.json")
