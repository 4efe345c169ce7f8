"""Names of files and folders that systems leave among a user's own: hidden ones, thumbnails, waste bins."""

SYSTEM_NAMES = frozenset(
    {
        "__macosx",
        "temporary items",
        "network trash folder",
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "system volume information",
        "@eadir",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@recently-snapshot",
        "lost+found",
    }
)
"""What macOS, Windows, Synology, QNAP and Linux write, in lower case."""


def is_clutter(name: str) -> bool:
    """Return whether a file or folder of that name is hidden or a system's, and not a user's data."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES
