"""Confirmation: the chosen settings, and the rows that every honest table needs, on seeds that no search has seen.

The rows are the original as it is (do nothing), the oracles of the other seeds (the noise floor), the chosen setting of
each method, and for SalUn its controls: density 1.0 and a random mask of the same density.
"""
