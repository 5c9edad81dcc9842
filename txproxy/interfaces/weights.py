"""How much of the work an upstream or a parent may be given."""

from __future__ import annotations

from typing import Final

# The greatest weight of an upstream or a parent, and so the range of all of them (SRV has up to 65535, HAProxy 256).
MOST_WEIGHT: Final = 1_000_000
