"""Routes that send clients elsewhere."""

from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.route_actions.redirect_action import RedirectAction


def test_without_a_status_the_method_stays(read):
    assert read(RedirectAction, redirect="/new") == (RedirectAction(Redirect("/new", 308)), [])
    assert read(RedirectAction, redirect="/new", status=301)[0] == RedirectAction(Redirect("/new", 301))


def test_what_is_wrong_is_told_at_its_key(read):
    made, (fault,) = read(RedirectAction, redirect="nowhere")
    assert made is None and fault.startswith("routes[0].redirect: 'nowhere' is no place to go to; accepted")
    assert read(RedirectAction, redirect="/", status=300)[1][0].startswith(
        "routes[0].status: 300 is none of a redirect"
    )
