"""From observations to a judgement: pure folds over timestamped observations.

`temporal` holds the measures of time all else is built from, `reading` decides what of an observation may be
believed, `baseline` learns this driver, `drowsiness`, `attention` and `availability` judge one question each,
`verdict` names the driver's state, and the `Assessor` runs them on every observation.
"""

from dms.assess.assessor import Assessor
from dms.assess.signals import SIGNALS

__all__ = ["SIGNALS", "Assessor"]
