"""The HTML report: one page that holds all it shows, for a browser with no network, for paper, and to be handed on."""

from lethe.report.page._page import Page, render_page

__all__ = ["Page", "render_page"]
