"""Driver monitoring: a camera looks at a driver, four small engines see, the software judges and tells."""

__version__ = "0.1.0"
