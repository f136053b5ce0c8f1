"""Activations: element-wise and along one dimension."""

from declnet.activations import relu as relu
from declnet.activations import softmax as softmax
