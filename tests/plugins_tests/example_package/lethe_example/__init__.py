"""A plug-in for Lethe: an unlearning method, a network and a data source."""
