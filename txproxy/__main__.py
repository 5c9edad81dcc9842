"""``txproxy``, which is ``python -m txproxy`` as well."""

from __future__ import annotations

from txproxy.cli.starting.interrupts import InterruptedAtOnce


def main() -> None:
    """Load the command, and run it."""
    with InterruptedAtOnce():
        from txproxy.cli.command import main as run
    run()


if __name__ == "__main__":
    main()
