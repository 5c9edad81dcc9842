from txproxy.matching.methods import with_head


def test_head_goes_with_get():
    assert with_head([b"GET", b"POST"]) == {b"GET", b"POST", b"HEAD"}
    assert with_head([b"POST"]) == {b"POST"}
    assert with_head([]) == frozenset()
