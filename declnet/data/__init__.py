"""From files to batches: sources, splits, fields."""
