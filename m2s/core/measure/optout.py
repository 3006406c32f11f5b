"""Do so many shoppers say no more that a campaign had better stop?"""

from m2s.core.measure.lift import Arm, wilson

LEAST_DELIVERED = 200
MOST_SHARE = 0.02
"""Below 1 % of sends is usual for SMS, 2 % is the most."""


def too_many(opted_out: int, *, delivered: int) -> bool:
    """Whether the share of messages that were answered by an opt-out is surely above 2 %: Wilson's lower bound (95 %),
    from 200 messages on."""
    return delivered >= LEAST_DELIVERED and wilson(Arm(opted_out, delivered)).low > MOST_SHARE
