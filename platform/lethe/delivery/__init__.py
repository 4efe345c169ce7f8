"""What leaves the platform: an unlearned model in a folder of its own, with its setting and its certificate."""

from lethe.delivery._delivered import Delivered

__all__ = ["Delivered"]
