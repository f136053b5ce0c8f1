"""Train neural networks from one YAML file: PyTorch's mental map, declared, on NumPy alone."""

__version__ = "0.1.0"
