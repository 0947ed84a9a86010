"""Wakeline tried by breaking it, on real Kafka: ``python -m tests.chaos [SEED...]``.

What workers make of a recording while they are killed, frozen, added and removed, while the broker
restarts and the sink is away, has to be what one undisturbed replay makes of the same logs.
"""
