"""Where files lie: folders and object stores, the lock of a study's writer, and strict readers of small files."""
