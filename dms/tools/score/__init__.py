"""`dms score`: alerts that were told against what truly happened, by class, with intervals."""
