"""The switch that leaves torch and transformers as they are: the environment variable `MANYHEADS_PLAIN`."""

import os


def plain() -> bool:
    """True under `MANYHEADS_PLAIN=1`: transformers' own modules over sequences with padding, torch's own layers.

    Read when an encoder is built. It is part of a run's fingerprint, because the bits are others.
    """
    return os.environ.get("MANYHEADS_PLAIN", "") not in ("", "0")
