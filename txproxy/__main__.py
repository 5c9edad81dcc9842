"""``python -m txproxy`` is the ``txproxy`` command."""

from txproxy.cli.command import main

if __name__ == "__main__":
    main()
