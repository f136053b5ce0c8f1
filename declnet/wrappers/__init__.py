"""Wrappers: components made of components."""

from declnet.wrappers import sequential as sequential
