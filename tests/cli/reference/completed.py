"""What is typed, and what each shell is to make of it."""

CASES = [
    ("txproxy rev", {"reverse"}),
    ("txproxy reverse --upstream-c", {"--upstream-ca", "--upstream-cert"}),
    ("txproxy reverse --balance least", {"least-connections", "least-time"}),
    ("txproxy forward --forwarded-for tr", {"transparent"}),
    ("txproxy tcp --upst", {"--upstream"}),
    ("txproxy run --conf", {"--config"}),
    ("txproxy run --config pro", {"proxy.toml"}),
    ("txproxy check pro", {"proxy.toml"}),
    ("txproxy forward --cache-dir c", {"cached/"}),
    ("txproxy ctl dr", {"drain"}),
    ("txproxy ctl drain --f", {"--for"}),
    ("txproxy cache purge --so", {"--soft"}),
    ("txproxy explain --us", {"--user"}),
    ("txproxy completion f", {"fish"}),
    ("txproxy top --on", {"--once"}),
    ("txproxy docs tut", {"tutorial"}),
    ("txproxy docs jobs/doc", {"jobs/docker"}),
    ("txproxy docs kuber", {"kubernetes"}),
]


def lay_out(folder):
    """The files that may be completed."""
    (folder / "proxy.toml").write_text("")
    (folder / "other").write_text("")
    (folder / "cached").mkdir()
    return folder
