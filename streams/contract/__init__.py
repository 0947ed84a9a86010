"""The event contract, generated from the structs: an AsyncAPI 3 document and tables to read.

Nothing is written down twice: topics, record types, ranges, units and descriptions come from
``streams.events``, so that a new record type is part of the contract without being named.
"""

from streams.contract.asyncapi import CONTRACT_VERSION, KEPT_FOR_EVER, asyncapi, contract_json
from streams.contract.examples import example
from streams.contract.tables import record_tables, with_current_tables, with_tables

__all__ = [
    "CONTRACT_VERSION",
    "KEPT_FOR_EVER",
    "asyncapi",
    "contract_json",
    "example",
    "record_tables",
    "with_current_tables",
    "with_tables",
]
