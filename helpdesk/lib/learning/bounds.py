"""How sure a share is: what was right so often of so many is right at least this often."""

from math import sqrt

ONE_SIDED_95 = 1.6449  # the quantile of the normal distribution


def lowest(right: float, of: float) -> float:
    """The lower end of Wilson's one-sided 95 % interval for a share (Wilson 1927); 0 where nothing was asked."""
    if of <= 0:
        return 0.0
    z2, share = ONE_SIDED_95**2, right / of
    middle = share + z2 / (2 * of)
    return max(0.0, (middle - ONE_SIDED_95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of))) / (1 + z2 / of))
