"""What Grafana shows and rings: the code (`build`) and the files it writes.

Dashboards, data sources, rules and their ways to people are plain dictionaries in Python;
``make grafana`` writes them as JSON and YAML, which is all that Grafana reads.
"""
