"""What was seen and judged, kept so that it can be told, handed on and judged again, bit for bit."""
