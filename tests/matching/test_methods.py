from txproxy.matching.methods import usual_name, with_head


def test_head_goes_with_get():
    assert with_head([b"GET", b"POST"]) == {b"GET", b"POST", b"HEAD"}
    assert with_head([b"POST"]) == {b"POST"}
    assert with_head([]) == frozenset()


def test_a_usual_method_is_known_in_any_case_and_others_are_their_own():
    assert (usual_name("get"), usual_name("GET"), usual_name("Connect")) == ("GET", "GET", "CONNECT")
    assert (usual_name("purge"), usual_name("PURGE")) == ("purge", "PURGE")
