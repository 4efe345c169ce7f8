"""Text from rows and files made safe to display: control characters are shown, not obeyed.

A name in another user's results may hold what a terminal takes for a command (ESC and the other control characters),
or what turns the order of the letters around (Unicode's bidirectional overrides).
"""

import re
from typing import Final

_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Write control characters as escapes such as ``\x1b`` and ``\u202e``; tabs and line ends stay as they are."""
    return _OBEYED.sub(_escape, text)


def visible_in_json(text: str) -> str:
    r"""Write the same characters as JSON's own escapes, such as ``\u001b``, in text that is JSON already."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
