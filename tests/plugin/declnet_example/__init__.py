"""Mish and Rprop for declnet."""
