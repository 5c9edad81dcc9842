"""What tables say."""

A, B = "http://10.0.0.1:8001", "http://10.0.0.1:8002"


def rows(said):
    return [line.split() for line in said.out.splitlines()[1:]]
