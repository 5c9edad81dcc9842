from twisted.internet import endpoints, reactor

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward import Privacy, Rule


async def ask(question):
    print(f"{question.client_ip} asks for {question.url}: not today", flush=True)
    return False


policy = ForwardPolicy(
    rules=[
        Rule(name="uploads", action="ask", methods=["POST", "PUT"], hosts=[".example.com"]),
        Rule(name="work", action="allow", hosts=[".example.com", ".example.org"]),
        Rule(name="lunch", action="allow", hosts=["*.example.net"], hours="12:00-13:00", days="mon-fri"),
    ],
    ask=ask,
    privacy=[Privacy(remove=["Referer"], replace={"User-Agent": "a browser"}.items())],
    agree_names=True,
)
factory = ForwardProxyFactory(policy)
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
