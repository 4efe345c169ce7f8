"""Unlearning of image classifiers: data, networks, training, methods and metrics, without Ray, Optuna or Parquet."""
