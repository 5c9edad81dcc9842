"""A reverse proxy with short functions in the way."""

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.proxy.hooks.hook_call import Hook
from txproxy.proxy.hooks.hooks_middleware import Hooks
from txproxy.testing import ProxyInMemory


@pytest.fixture
def serve(closing):
    def serve(before=(), after=(), timeout=10.0, **more):
        def build(reactor):
            hooks = Hooks(
                [Hook("before", f"m:{one.__name__}", one, reactor, timeout=timeout) for one in before],
                [Hook("after", f"m:{one.__name__}", one, reactor, timeout=timeout) for one in after],
            )
            return ReverseProxyFactory(Pool(["http://10.0.0.1"]), middleware=[hooks], reactor=reactor, **more)

        return closing(ProxyInMemory(build))

    return serve
