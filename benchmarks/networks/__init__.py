"""The networks of the workloads: a declnet config each, the same in PyTorch as its users write it, and its data."""
