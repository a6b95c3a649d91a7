"""Grafana's dashboards as code: `python -m infra.grafana` writes them, a test compares.

`panels` knows Grafana's JSON, `overview`, `data` and `stream` say what is shown, `build` puts them
together. Imports nothing of the service.
"""
