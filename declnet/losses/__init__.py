"""Losses: what is minimised."""

from declnet.losses import cross_entropy as cross_entropy
from declnet.losses import mse as mse
