"""Where work runs: this process or a Ray cluster, its warm workers, and the data that they share.

Nothing is imported here: Ray reads its settings when it is first imported, and `lethe` sets them before (see
``ray_settings.py``).
"""
