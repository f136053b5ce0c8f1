"""Side-by-side runs of declnet and PyTorch: `python -m benchmarks`, from the checkout. See docs/benchmarks.md."""
