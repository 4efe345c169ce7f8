"""The HTML report: one self-contained page, for a browser without network, for printing, and for sharing."""

from lethe.report.page._page import Page, render_page

__all__ = ["Page", "render_page"]
