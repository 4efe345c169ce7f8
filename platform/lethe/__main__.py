"""`python -m lethe`: the command, under the Python that it is started with."""

import sys

try:
    from lethe.cli import main
except ModuleNotFoundError as error:
    sys.exit(
        f"{sys.executable} has no {error.name}: start lethe with a Python that has its libraries, and a submitted "
        "study with --python"
    )

main()
