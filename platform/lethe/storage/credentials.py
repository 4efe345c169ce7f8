"""Cuts credentials out of URIs before anybody sees them: in messages, rows, logs and pages."""

import re
from typing import Final
from urllib.parse import unquote

_SHORTEST: Final = 4

_PASSWORD: Final = re.compile(r"^([^:/?#]+:)//(?![^/?@:]*:\d+(?:/|\?|$))[^/?@]*:[^?]*@")
"""``key:secret@``; a secret may hold ``/`` and ``@``, and what only looks so is a port."""

_USER: Final = re.compile(r"^(?!(?:abfss?|gs|gcs|hdfs|viewfs):)([^:/?#]+:)//[^/?@]*@")
"""``token@``; with the kinds that are left out it is a container or a name, which a command needs."""

_SECRET: Final = re.compile(r"[^=]*(secret|key|token|passw|pwd|signature|credential|sig$|sas$)", re.IGNORECASE)
"""Names of options that are secret."""


def without_credentials(uri: str) -> str:
    """Leave out a URI's ``user:password@``, and the options whose names say that they are secret."""
    head, mark, options = uri.partition("?")
    if not mark and "@" not in head:
        return uri
    shown = [option for option in options.split("&") if option and not _SECRET.match(option.partition("=")[0])]
    return _USER.sub(r"\1//", _PASSWORD.sub(r"\1//", head)) + "?" * bool(shown) + "&".join(shown)


def cut_credentials(text: str, uri: str) -> str:
    """Leave a URI's credentials out of a text that may quote it, whole or in part, such as another library's error."""
    text = text.replace(uri, without_credentials(uri))
    for secret in sorted(_secrets_of(uri), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets_of(uri: str) -> set[str]:
    """Find the secrets of a URI, as they are written and as they are meant; a very short one is part of many words."""
    head, _, options = uri.partition("?")
    found = [value for name, _, value in (one.partition("=") for one in options.split("&")) if _SECRET.match(name)]
    if user := _PASSWORD.match(head) or _USER.match(head):
        found.append(user[0].partition("//")[2].removesuffix("@").rpartition(":")[2])
    return {form for value in found for form in (value, unquote(value)) if len(form) >= _SHORTEST}
