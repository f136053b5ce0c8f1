"""Optimizers: how parameters change."""

from declnet.optimizers import adam as adam
from declnet.optimizers import sgd as sgd
