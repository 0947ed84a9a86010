"""Results in InfluxDB 2.

`sink` is the ``ResultSink``. `lines` says what a point looks like and `catalogue` what there is;
`known` remembers what is stored, `reading` asks for it, `decisions` and `hours` say what to do,
which is `work`; `client` does it. `administration` prepares the database, `tokens` keeps the keys.
"""
