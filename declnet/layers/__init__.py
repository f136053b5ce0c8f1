"""Layers: components with weights."""

from declnet.layers import linear as linear
