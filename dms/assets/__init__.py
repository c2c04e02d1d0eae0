"""Files shipped with the package: the default portrait and the demo drive."""
