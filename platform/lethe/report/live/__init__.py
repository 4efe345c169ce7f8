"""The report served over HTTP while a study runs."""

from lethe.report.live._report import LivePage, LiveReport
from lethe.report.live._server import ReportServer

__all__ = ["LivePage", "LiveReport", "ReportServer"]
