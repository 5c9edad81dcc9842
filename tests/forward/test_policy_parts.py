"""The live objects of a policy: which of them go over to the next one, and when they end."""

import attrs
import pytest
from twisted.internet.task import Clock

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.policy_parts import make_parts
from txproxy.forward.proxy_factory import ForwardProxyFactory


@pytest.fixture
def policy(tmp_path):
    for name, content in {"ads": "ads.example\n", "more": "more.example\n", "tokens": "t0ken:bob\n"}.items():
        (tmp_path / name).write_text(content)
    return ForwardPolicy(
        filters=[str(tmp_path / "ads")],
        lists={"more": str(tmp_path / "more")},
        auth=AuthPolicy(token_file=str(tmp_path / "tokens")),
        parents=["http://p.example:1"],
    )


PARTS = ("authenticator", "filters", "lists", "parents")


def test_the_parts_of_an_equal_policy_are_the_same(policy):
    before = make_parts(policy, Clock())
    after = make_parts(attrs.evolve(policy, via="other"), Clock(), [before])
    assert after.policy is not before.policy
    for part in PARTS:
        assert getattr(after, part) is getattr(before, part) is not None


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"auth": AuthPolicy(passwords=lambda name, password: name)}, "authenticator"),
        ({"filters": ()}, "filters"),
        ({"lists": ()}, "lists"),
        ({"parents": ["http://q.example:1"]}, "parents"),
    ],
)
def test_what_has_changed_is_new_and_nothing_else_is(policy, change, part):
    before = make_parts(policy, Clock())
    after = make_parts(attrs.evolve(policy, **change), Clock(), [before])
    assert [one for one in PARTS if getattr(after, one) is not getattr(before, one)] == [part]


def test_the_first_that_has_it_gives_it(policy):
    one, other = make_parts(policy, Clock()), make_parts(policy, Clock())
    assert one.parents is not other.parents
    assert make_parts(policy, Clock(), [other, one]).parents is other.parents


def test_live_objects_of_an_embedder_are_taken_as_they_are(policy):
    filters, parents = Filters(policy.filters), Parents(["http://p.example:1"])
    given = ForwardPolicy(filters=filters, parents=parents)
    parts = make_parts(given, Clock(), [make_parts(policy, Clock())])
    assert parts.filters is filters and parts.parents is parts.policy.parents is parents


class Threads:
    ended = 0

    def close(self):
        self.ended += 1


def test_threads_end_with_the_last_who_holds_them(policy):
    parts = make_parts(policy, Clock())
    parts.authenticator.threads = threads = Threads()
    one, other = (ForwardProxyFactory(policy, reactor=Clock(), parts=parts) for _ in range(2))
    one.stop()
    one.stop()
    assert threads.ended == 0
    other.stop()
    assert threads.ended == 1
