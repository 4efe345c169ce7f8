"""A study's way from its file to its rows: plan, build the artifacts, search, confirm; progress and time estimate."""
