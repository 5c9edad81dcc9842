"""What stays of a challenge over reloads."""

from twisted.internet.task import Clock

from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.challenge.challenges import Challenges


def test_secret_and_counts_stay():
    first = Challenges(ChallengeSettings(), Clock())
    first.at("web", ChallengePlace(), None)
    first.counts["web"].given = 5
    second = Challenges(ChallengeSettings(difficulty=20), Clock(), first)
    assert second.own_secret == first.own_secret and len(first.own_secret) == 32
    second.answers("web", None)
    assert second.counts["web"].given == 5 and second.basis != first.basis
    assert Challenges(ChallengeSettings(), Clock()).own_secret != first.own_secret
