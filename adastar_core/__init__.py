"""AdaSTaR's method: what to sample, what to accept, what to train on, and what it cost.

This package knows nothing of Prefect; it is usable from a notebook or a plain script
(see ``examples/loop.py``).
"""

__version__ = "0.1.0"
