"""The hospital's networks."""
