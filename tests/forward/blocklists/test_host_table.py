"""Host names as hashes: nothing is missed, and names stand for what is under them."""

from hypothesis import given
from hypothesis import strategies as st

from txproxy.forward.blocklists.host_table import HostNames, _digest, key_alone, key_of


def names(*hosts, alone=()):
    return HostNames([*map(key_of, hosts), *map(key_alone, alone)], alone=bool(alone))


def test_a_name_stands_for_those_under_it():
    known = names("ads.example", "zip")
    assert known.find("ads.example") == "ads.example"
    assert known.find("a.b.ads.example") == "ads.example"
    assert known.find("x.zip") == "zip"
    for host in ("example", "xads.example", "ads.example.org", ""):
        assert known.find(host) is None


def test_a_name_alone_stands_for_itself():
    known = names("other.example", alone=["ads.example"])
    assert known.find("ads.example") == "ads.example"
    assert known.find("x.ads.example") is None
    assert known.find("x.other.example") == "other.example"


def test_where_no_name_is_without_a_dot_the_last_label_is_not_asked_for():
    known = HostNames([key_of("a.example"), key_of("example")], undotted=False)
    assert known.find("x.a.example") == "a.example"
    assert known.find("example") is None
    assert known.find("b.example") is None


def test_a_name_counts_once():
    assert len(names("a.example", "a.example", "b.example")) == 2
    assert len(HostNames()) == 0 and HostNames().find("a") is None


def test_sets_unite():
    one, other = names("a.example"), names("b.example", alone=["c.example"])
    both = HostNames.union([one, HostNames(), other])
    assert len(both) == 3
    assert [both.find(host) for host in ("x.a.example", "b.example", "c.example", "x.c.example")] == [
        "a.example",
        "b.example",
        "c.example",
        None,
    ]
    assert HostNames.union([one, HostNames()]) is one
    assert len(HostNames.union([])) == 0


LABELS = st.text(alphabet="abc", min_size=1, max_size=2)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@given(st.sets(HOSTS, max_size=60), HOSTS)
def test_a_look_up_agrees_with_the_names(listed, host):
    known = names(*listed)
    labels = host.split(".")
    above = [".".join(labels[at:]) for at in range(len(labels))]
    assert known.find(host) == next((name for name in above if name in listed), None)


def test_where_python_hashes_in_32_bits_a_digest_has_64():
    assert _digest("ads.example") == _digest("ads.example") != _digest("ads.exampl")
    assert all(-(2**63) <= _digest(str(number)) < 2**63 for number in range(100))
    assert max(abs(_digest(str(number))) for number in range(100)) > 2**60
