"""The contract, generated from the code: an AsyncAPI 3 document, and tables of events and features.

Nothing is written down twice: topics, record types, ranges, units and descriptions come from
``streams.events``, and what a row may hold from ``streams.features``, so that a new record type
or feature is part of the contract without being named.
"""

from streams.contract.asyncapi import CONTRACT_VERSION, KEPT_FOR_EVER, asyncapi, contract_json
from streams.contract.examples import example
from streams.contract.figures import figure_tables, with_current_figures
from streams.contract.tables import record_tables, with_current_tables, with_tables

__all__ = [
    "CONTRACT_VERSION",
    "KEPT_FOR_EVER",
    "asyncapi",
    "contract_json",
    "example",
    "figure_tables",
    "record_tables",
    "with_current_figures",
    "with_current_tables",
    "with_tables",
]
