"""A gRPC server on the port that is given, whose messages are bytes; with the files of a certificate and its key it
speaks TLS.
"""

import sys
from concurrent import futures
from pathlib import Path

import grpc


def _same(data):
    return data


def _refuse(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")


def _repeat(request, context):
    for _ in range(100):
        yield request


def _echo(requests, context):
    for request in requests:
        yield b"got " + request


def _health(request, context):
    """Of grpc.health.v1: the service that is called "ill" is not serving, another is; the whole server is as well."""
    return b"\x08\x02" if request == b"\x0a\x03ill" else b"\x08\x01"


class Service(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        codec = (_same, _same)
        return {
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(_health, *codec),
            "/t/unary": grpc.unary_unary_rpc_method_handler(lambda request, context: b"got " + request, *codec),
            "/t/refuse": grpc.unary_unary_rpc_method_handler(_refuse, *codec),
            "/t/repeat": grpc.unary_stream_rpc_method_handler(_repeat, *codec),
            "/t/echo": grpc.stream_stream_rpc_method_handler(_echo, *codec),
            "/t/wait": grpc.stream_unary_rpc_method_handler(lambda requests, context: b"".join(requests), *codec),
        }.get(handler_call_details.method)


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Service(),))
    port, *files = sys.argv[1:]
    if files:
        certificate, key = (Path(file).read_bytes() for file in files)
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()
