"""Which smoothers stand beside the median, which is what the service takes?"""

from collections.abc import Mapping

from beacons.smoothing import Smoother, kalman, moving_average, trimmed_mean

OTHERS: Mapping[str, Smoother] = {"trimmed mean": trimmed_mean, "EWMA": moving_average, "Kalman": kalman}
