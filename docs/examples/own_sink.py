"""A sink whose lines are written by a thread, so that no request waits for it."""

import queue
import threading


class ToThread:
    """Writes lines to a file. What comes while a thousand wait is counted, and told of in its place."""

    def __init__(self, file: str) -> None:
        self.dropped = 0
        self._file = file
        self._lines: queue.Queue[str | None] = queue.Queue(1000)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """One line of the log."""
        if self.dropped:
            line = f"{self.dropped} lines were dropped\n{line}"
        try:
            self._lines.put_nowait(line)
            self.dropped = 0
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """No more lines come: those that wait are written."""
        self._lines.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        # Nothing is opened where no line comes, as in txproxy check.
        line = self._lines.get()
        if line is None:
            return
        with open(self._file, "a", encoding="utf-8") as out:
            while line is not None:
                out.write(f"{line}\n")
                out.flush()
                line = self._lines.get()
