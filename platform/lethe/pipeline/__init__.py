"""From a study's file to its rows: plan, build the artifacts, search, confirm; progress and time estimate."""
