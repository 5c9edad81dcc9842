"""What options mean."""

from txproxy.tap import Options


def config(*words):
    """The configuration that these mean."""
    options = Options()
    options.parseOptions([*words, "--access-log", "none"])
    return options.subOptions.service.config
