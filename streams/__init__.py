"""The path of the data: envelope -> grid -> feature rows -> scores -> alerts.

``events`` is the vocabulary, ``pipeline`` the pure step per partition, ``replay`` and the Faust
``agents`` are the two shells round that same step. See ``docs/ARCHITECTURE.md``.
"""
