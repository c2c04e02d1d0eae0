"""The controller proved: in a simulated device, on this machine under load, level by level."""
