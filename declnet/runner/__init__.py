"""The epoch loop, checkpoints, the run directory and events."""
