"""One self-contained page for care teams: who needs attention first, and what each person shows."""

from connectors.report.page import ReportSummary, write_report

__all__ = ["ReportSummary", "write_report"]
