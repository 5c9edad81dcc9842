"""What is new of keys, for others to hear."""

from txproxy.interfaces.processes.sharing import MOST_TOLD, News


def test_the_latest_of_each_key_is_told_and_who_tells_is_woken_once():
    news, woken = News(), []
    news.put("a", 1)
    assert not news and news.take() == (None, False)
    news.join(lambda: woken.append(1))
    for value in (1, 2):
        news.put("a", news.get("a", 0) + value)
    news.put("b", 7)
    assert news and woken == [1]
    assert news.take() == ({"a": 3, "b": 7}, False) and news.take() == (None, False)
    news.put("a", 1)
    news.put("b", 1)
    news.drop("b")
    news.drop("c")
    assert woken == [1, 1] and news.get("a", 0) == 1 and news.get("b", 0) == 0
    news.part()
    assert not news and news.take() == (None, False)


def test_a_message_is_bounded_and_so_is_what_waits_for_one():
    news = News()
    news.join(lambda: None)
    for number in range(MOST_TOLD + 1):
        news.put(number, 0)
    told, more = news.take()
    assert len(told) == MOST_TOLD and more
    assert news.take() == ({MOST_TOLD: 0}, False)
    for number in range(70_000):
        news.put(number, 0)
    told, _ = news.take()
    assert 69_999 in told or len(news._new) <= 65536
