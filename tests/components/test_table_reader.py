"""What features see of a table is what a table of a file has."""

from txproxy.components.table_reader import TableReader
from txproxy.config.toml.tables import Table


def test_a_table_of_a_file_has_all_of_it():
    wanted = {name for name in vars(TableReader) if callable(getattr(TableReader, name)) and name[0] != "_"}
    assert wanted and all(callable(getattr(Table, name)) for name in (*wanted, "__contains__"))
