"""Values of a configuration go through a pickle, with what they have worked out made anew."""

import pickle

import attrs
import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.rules import Rule
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Bind
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.limits.quotas import Quota
from txproxy.limits.shaping import Bandwidth
from txproxy.plain_values import PlainValue
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.rewriting.strict_transport import Hsts
from txproxy.reverse.routing.matches import Match

VALUES = [
    Rule(action="deny", name="a", hosts=["~x", ".example"], clients="10.0.0.0/8", headers={"X": "~y", "Z": True}),
    Rule(action="allow", url=["http://*/a/*", "~b"], hours="08:00-18:00", days="mon-fri", users={"bob"}),
    Rewrite(name="a", to="http://b.example/{1}", url="~http://a/(.*)", hosts=["a"]),
    Rewrite(name="a", to="http://b.example/", url="http://a/*"),
    Privacy(hosts=[".example"], remove="Referer", replace={"User-Agent": "none"}, keep=["Accept"]),
    Bind(address="127.0.0.1", hosts=["a.example"], rules=["r"]),
    Injection(origin="https://a.example", headers={"Authorization": "x"}),
    Bandwidth(down=5, only=["10.0.0.0/8"]),
    Quota(per="user", day=5, only=["bob"]),
    Match(hosts=["*.example"], path="~/a[0-9]", headers={"X": "~y"}, query={"q": True}, clients=["10.0.0.0/8"]),
    Redirect("https://$host/new$path", 301),
    RequestRewrite(
        strip_prefix="/a", add_prefix="/b", pattern="/c/(.*)", replacement="/$1", set_headers={"X": "$host"}
    ),
    ResponseRewrite(add_headers={"X": ["a", "b"]}, request=RequestRewrite(add_prefix="/b"), hsts=Hsts(5)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_what_a_pickle_holds_is_equal_and_works(value):
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    for field in attrs.fields(type(value)):
        # What was worked out is there as well.
        assert type(getattr(again, field.name)) is type(getattr(value, field.name)), field.name


def test_what_was_worked_out_is_in_no_pickle():
    made = []

    @attrs.frozen
    class Doubled(PlainValue):
        _given: int = attrs.field(converter=int)
        twice: int = attrs.field(init=False)

        @twice.default
        def _double(self):
            made.append(self._given)
            return 2 * self._given

    value = Doubled("4")
    make, (kind, given) = value.__reduce__()
    assert dict(given) == {"given": 4}
    assert make(kind, given) == value
    assert made == [4, 4]


def test_a_pickle_of_what_is_wrong_is_an_error():
    make, (kind, given) = Bandwidth(down=5).__reduce__()
    with pytest.raises(ConfigError, match="down"):
        make(kind, {**given, "down": -5})
