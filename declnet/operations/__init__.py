"""Operations without parameters: what a graph needs between its layers."""

from declnet.operations import flatten as flatten
