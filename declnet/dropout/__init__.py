"""Dropout: noise in training, nothing in evaluation."""

from declnet.dropout import dropout as dropout
