"""The console of all commands: it applies its own styles, and prints control characters in texts as escapes."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lethe.results.visible import visible


class VisibleConsole(Console):
    """A console on which a name from a row cannot move the cursor or set the title, wherever it is in a table."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
