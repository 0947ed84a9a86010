"""The edges: bytes in, results out; nothing here computes."""
