"""Unlearning of image classifiers: data, networks, training, methods and metrics, in torch alone."""
