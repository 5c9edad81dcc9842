"""What all workers have alike."""

import attrs

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.config import parse
from txproxy.config.model import Config, ForwardListener, ReverseListener, TcpListener
from txproxy.forward.policy import ForwardPolicy
from txproxy.runtime.live.live_pools import live_pool
from txproxy.runtime.workers.common.shared_keys import with_shared_keys

FILE = """
[[listeners]]
listen = "8080"
pool = "app"
[[listeners]]
name = "second"
listen = "8081"
pool = "own"
[pools.app]
upstreams = ["http://10.0.0.1", "http://10.0.0.2"]
sticky = "cookie"
[pools.own]
upstreams = ["http://10.0.0.1"]
sticky = "cookie"
sticky_key = "written by a hand"
"""
SECRET, OTHER = b"a" * 32, b"b" * 32


def test_the_same_secret_makes_the_same_of_a_configuration_and_another_one_does_not():
    config = parse(FILE, "edge.toml")
    made = with_shared_keys(config, SECRET)
    assert made == with_shared_keys(parse(FILE, "edge.toml"), SECRET)
    assert made != config and made != with_shared_keys(config, OTHER)


def test_a_cookie_of_one_worker_is_known_to_the_next():
    keys = [
        live_pool(with_shared_keys(parse(FILE, "edge.toml"), secret).pool("app"), None, {}).key
        for secret in (SECRET, SECRET, OTHER)
    ]
    assert keys[0] == keys[1] != keys[2] and len(keys[0]) == 32


def test_a_key_that_is_written_is_the_one():
    assert with_shared_keys(parse(FILE, "edge.toml"), SECRET).pool("own").sticky_key == b"written by a hand"


def test_a_proof_for_one_worker_is_one_for_the_next():
    config = parse(FILE, "edge.toml")
    secrets = [with_shared_keys(config, secret).challenge.secret for secret in (SECRET, SECRET, OTHER)]
    assert secrets[0] == secrets[1] != secrets[2] and len(secrets[0]) == 32
    written = parse('[challenge]\nsecret = "written by a hand"\n' + FILE, "edge.toml")
    assert with_shared_keys(written, SECRET).challenge.secret == b"written by a hand"


def test_each_listener_has_a_mark_of_its_own():
    first, second = with_shared_keys(parse(FILE, "edge.toml"), SECRET).listeners
    assert first.via_mark != second.via_mark
    given = Config(listeners=(ReverseListener(via_mark="mine"), ForwardListener(), TcpListener()))
    reverse, forward, tcp = with_shared_keys(given, SECRET).listeners
    assert reverse.via_mark == "mine" and len(forward.policy.via_mark) == 12 and tcp == TcpListener()


def test_nonces_of_one_worker_are_known_to_the_next_where_there_is_digest():
    auth = AuthPolicy(digest_file="users")
    policies = [
        with_shared_keys(Config(listeners=(ForwardListener(policy=ForwardPolicy(auth=one)),)), SECRET)
        .listeners[0]
        .policy
        for one in (auth, attrs.evolve(auth, digest_secret=b"mine"), AuthPolicy(password_file="users"))
    ]
    secrets = [policy.auth.digest_secret for policy in policies]
    assert len(secrets[0]) == 32 and secrets[1:] == [b"mine", b""]
    # By the other one they know what was right, whatever shows it.
    logins = {policy.auth.login_secret for policy in policies}
    assert len(logins) == 1 and len(logins.pop()) == 32
