"""Data, training and drawing for the chapters of the course on recurrent neural networks."""

__version__ = "0.1.0"
