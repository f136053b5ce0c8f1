"""From a list of nodes to a flat list of bound steps: tracing, liveness, memory."""
