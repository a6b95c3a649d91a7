"""`python -m infra.grafana`: write the dashboards, to where Grafana is told to look for them."""

from __future__ import annotations

from infra.grafana.build import FOLDER, dashboard_files

for name, text in dashboard_files().items():
    (FOLDER / name).write_text(text, "utf-8")
