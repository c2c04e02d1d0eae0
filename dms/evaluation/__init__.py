"""Measuring engines on labelled pictures and recordings. NumPy and OpenCV only; nothing here trains."""
