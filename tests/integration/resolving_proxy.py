"""What a configuration file says, with a name server of a test's own: ``resolving_proxy.py REACTOR FILE FOLDER PORT``.

The folder has resolv.conf and hosts.
"""

import signal
import sys

from twisted.application.reactors import installReactor

installReactor(sys.argv[1])

from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import maybeDeferred  # noqa: E402
from twisted.python import log  # noqa: E402

from txproxy.config import load  # noqa: E402
from txproxy.net.dns.resolver import Places, Resolver  # noqa: E402
from txproxy.service import make_service  # noqa: E402

file, folder, port = sys.argv[2:]
log.startLogging(sys.stdout, setStdout=False)
resolver = Resolver(reactor, Places(f"{folder}/resolv.conf", f"{folder}/hosts", int(port)))
service = make_service(load(file), reactor, resolver)
service.privilegedStartService()
service.startService()
reactor.addSystemEventTrigger("before", "shutdown", lambda: maybeDeferred(service.stopService))
signal.signal(signal.SIGUSR2, lambda *_: reactor.callFromThread(print, "running:", resolver.running, flush=True))
signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(service.read_again))
reactor.run()
print("threads:", len(reactor.threadpool.threads) if reactor.threadpool is not None else 0, flush=True)
