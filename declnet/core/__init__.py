"""The component contract, the registry, array specs and shared numerics: what every family stands on."""
