"""Locks of several processes that a test plays in one: the kernel knows nothing of these."""


class Kernel:
    """Knows who has which place."""

    def __init__(self):
        self.held, self.standing = {}, {}
        self.asked = 0

    def process(self, number):
        return Locks(self, number)


class Locks:
    """See :class:`txproxy.cluster.record_locks.RecordLocks`; of one process of several that the test plays."""

    def __init__(self, kernel, number):
        self.kernel, self.number, self.passed = kernel, number, set()

    def take(self, place):
        self.kernel.asked += 1
        if self.kernel.held.get(place):
            return False
        self.kernel.held[place] = {self.number}
        return True

    def free(self, place):
        self.kernel.held.get(place, set()).discard(self.number)
        self.kernel.standing.get(place, set()).discard(self.number)

    def pass_on(self, place):
        self.passed.add(place)

    def take_over(self, place):
        if place in self.passed:
            self.passed.discard(place)
            return True
        self.kernel.held.setdefault(place, set()).add(self.number)
        return True

    def free_passed(self, place):
        if place in self.passed:
            self.passed.discard(place)
            self.free(place)

    def stand(self, place):
        self.kernel.standing.setdefault(place, set()).add(self.number)
        return True

    def others_stand(self, place, here):
        assert here == (self.number in self.kernel.standing.get(place, ()))
        return bool(self.kernel.standing.get(place, set()) - {self.number})
