"""Lets ``python -m adastar_core.cli`` stand for ``adastar``."""

import sys

from adastar_core.cli import main

sys.exit(main())
