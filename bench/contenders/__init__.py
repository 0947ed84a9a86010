"""Contenders for the job of ``bench.job``: one module each, run in a process of its own."""
