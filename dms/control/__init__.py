"""The device below the software: what its sensors tell."""
