"""Metrics: figures of a whole split."""

from declnet.metrics import accuracy as accuracy
