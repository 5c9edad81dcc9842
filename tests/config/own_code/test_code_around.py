"""Code that is named for a place in the way of requests."""

import pickle

from txproxy.components.named_code import NamedCode
from txproxy.config.own_code.code_around import NOTHING_AROUND, TIMEOUT, CodeAround, HookConfig


def test_it_is_a_value_and_true_where_there_is_any():
    hook = HookConfig(code=NamedCode("a:b", {"c": 1}))
    one = CodeAround(middleware=["a:b"], before=(hook,))
    assert one == pickle.loads(pickle.dumps(one)) and len({one, CodeAround(middleware=["a:b"], before=(hook,))}) == 1
    assert one.middleware == (NamedCode("a:b"),) and hook.timeout == TIMEOUT
    assert one and CodeAround(after=(hook,)) and CodeAround(before=(hook,)) and not NOTHING_AROUND
