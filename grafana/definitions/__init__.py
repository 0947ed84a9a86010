"""Dashboards and provisioning of Grafana as plain data, and the command that writes them."""
