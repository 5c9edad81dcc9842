"""A server of gRPC that says how it is by the servicer that gRPC itself has for that."""

from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthServer:
    """One in this process, at a ``port``. ``knows``: whether it has the servicer; one without has nothing."""

    def __init__(self, port, knows=True):
        self.servicer = health.HealthServicer()
        # Where another server listens, it is not to share the port with that.
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        if knows:
            health_pb2_grpc.add_HealthServicer_to_server(self.servicer, self._server)
        assert self._server.add_insecure_port(f"127.0.0.1:{port}") == port
        self._server.start()

    def stop(self):
        """It is gone when this returns."""
        self._server.stop(0).wait()


def question(service=""):
    return health_pb2.HealthCheckRequest(service=service)


def client(channel):
    return health_pb2_grpc.HealthStub(channel)
