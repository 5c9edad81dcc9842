"""Code of one's own that a file names: in several processes, and when it changes."""

import os
import signal

from tests.integration.conftest import until
from tests.integration.test_workers import Served

CODE = """
def mark(request, response):
    response.headers.set("X-Code", "{}")

def fail(request):
    if request.headers.get("X-Fail"):
        raise KeyError("a secret")
"""
MORE = 'before = "own_marks:fail"\nafter = "own_marks:mark"'
READ_AGAIN = "was read again"


def serve(processes, folder, before):
    (folder / "own_marks.py").write_text(CODE.format("first"))
    return Served(processes, folder, 2, MORE, f'python_path = "."\n{before}\n')


def marks(served):
    """What workers say; which of them is asked is for the kernel."""
    return {served.ask().partition(b"X-Code: ")[2].partition(b"\r\n")[0] for _ in range(16)}


def test_new_code_is_taken_by_all_where_it_is_asked_for_and_what_is_broken_is_not(processes, tmp_path):
    served = serve(processes, tmp_path, "reload_code = true")
    assert marks(served) == {b"first"}
    # As long as the first, and of the same second.
    (tmp_path / "own_marks.py").write_text(CODE.format("other"))
    assert marks(served) == {b"first"}
    served.read_again(served.text, READ_AGAIN)
    until(lambda: marks(served) == {b"other"}, "all have it")
    (tmp_path / "own_marks.py").write_text("def mark(:\n")
    served.read_again(served.text, "own_marks cannot be imported: SyntaxError")
    assert marks(served) == {b"other"}
    # One that is begun now has what the others have.
    first = served.workers[1]
    os.kill(first, signal.SIGKILL)
    until(lambda: served.workers.get(1, first) != first, "it is replaced")
    served.says("[worker 1] ", 2)
    assert marks(served) == {b"other"}
    served.end()


def test_the_code_that_was_read_stays_where_nobody_asks_for_other(processes, tmp_path):
    served = serve(processes, tmp_path, "")
    (tmp_path / "own_marks.py").write_text(CODE.format("other"))
    served.read_again(served.text, READ_AGAIN)
    first = served.workers[1]
    os.kill(first, signal.SIGKILL)
    until(lambda: served.workers.get(1, first) != first, "it is replaced")
    assert marks(served) == {b"first"}
    # An error in it is told once, with its place, and of the client's to see there is nothing.
    failing = b"GET /name HTTP/1.1\r\nHost: a\r\nX-Fail: 1\r\nX: \r\n\r\n"
    for _ in range(3):
        assert served.ask(failing).startswith(b"HTTP/1.1 500")
    served.says(f"KeyError at {tmp_path}/own_marks.py:7")
    # In full for each worker at most.
    assert served.log.count("Traceback") <= 2
    served.process.send_signal(signal.SIGTERM)
    until(lambda: served.process.poll() is not None, "it ends")
