"""Why directives of nginx's are not taken over."""

from __future__ import annotations

from typing import Final

from txproxy.importers.nginx.syntax.blocks import Directive

_SYSTEM: Final = "the service's own unit says it; see the page on services"


def _several(why: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(" ".join(names).split(), why)


REASONS: Final = {
    **_several(_SYSTEM, "user pid daemon master_process worker_rlimit_nofile worker_priority worker_cpu_affinity env"),
    **_several(
        "bodies are passed on as they come, without buffers to set",
        "proxy_buffering proxy_buffers proxy_buffer_size proxy_busy_buffers_size proxy_request_buffering",
        "proxy_max_temp_file_size proxy_temp_path client_body_buffer_size client_body_temp_path fastcgi_temp_path",
        "client_header_buffer_size output_buffers postpone_output uwsgi_temp_path scgi_temp_path fastcgi_buffers",
        "fastcgi_buffer_size grpc_buffer_size proxy_temp_file_write_size",
    ),
    **_several("it is done by itself", "sendfile tcp_nopush tcp_nodelay aio directio use multi_accept accept_mutex"),
    **_several(
        "tables are as large as they have to be",
        "types_hash_max_size types_hash_bucket_size server_names_hash_bucket_size server_names_hash_max_size",
        "variables_hash_max_size variables_hash_bucket_size map_hash_bucket_size map_hash_max_size",
        "proxy_headers_hash_max_size proxy_headers_hash_bucket_size",
    ),
    **_several(
        "responses are not compressed here: servers do it",
        "gzip gzip_types gzip_vary gzip_min_length gzip_comp_level gzip_proxied gzip_buffers gzip_http_version",
        "gzip_disable gzip_static gunzip brotli brotli_types brotli_comp_level brotli_static",
    ),
    **_several(
        "TLS is set up safely by itself",
        "ssl_session_cache ssl_session_timeout ssl_session_tickets ssl_prefer_server_ciphers ssl_ecdh_curve",
        "ssl_dhparam ssl_buffer_size ssl_early_data ssl_conf_command",
    ),
    **_several("no proof of revocation is sent with certificates", "ssl_stapling ssl_stapling_verify"),
    **_several("names are looked up by the system's resolvers", "resolver resolver_timeout"),
    **_several(
        "how fast bytes pass is bounded by bandwidths of a listener, and not here", "limit_rate limit_rate_after"
    ),
    **_several("requests are not inspected by rules here", "modsecurity modsecurity_rules modsecurity_rules_file"),
    "ssl_crl": "no lists of revoked certificates are read: what it refuses is not refused",
    "ssl_reject_handshake": "clients that ask for another host get the first certificate, and 404 or 421",
    "include": "it could not be read",
    "types": "the types of files are known by their endings",
    "default_type": "what has no known ending is application/octet-stream",
    "server_tokens": "no version is told anybody",
    "worker_connections": "max_connections of limits bounds clients, 10000 if it is not said",
    "error_log": "what the proxy says of itself goes to standard error, from log.level on",
    "access_log": "there is one access log for all; [[access_logs]] are further ones, for some routes",
    "load_module": "there are no modules of nginx here",
    "client_body_timeout": "min_body_rate of limits bounds slow bodies",
    "send_timeout": "min_response_rate of limits bounds slow clients",
    "proxy_send_timeout": "response_timeout bounds a server that takes nothing",
    "keepalive_requests": "a connection may have any number of requests",
    "proxy_next_upstream_timeout": "retries are bounded in number",
    "proxy_http_version": "1.1 is spoken to servers",
    "proxy_ignore_headers": "servers are believed; override_expire and ignore_set_cookie of cache are what there is",
    "proxy_intercept_errors": "error pages are for what the proxy says itself",
    "error_page": "error pages are for what the proxy says itself: error_pages of a listener, with files",
    "log_format": "no access log here has it",
    "underscores_in_headers": "fields with underscores are passed on, unless they look like one that counts",
    "ignore_invalid_headers": "a request with an invalid field is refused",
    "merge_slashes": "a path that can be read in several ways is refused where that would count",
    "port_in_redirect": "redirects that a route makes are relative",
    "absolute_redirect": "redirects that a route makes are relative where no host is said",
    "server_name_in_redirect": "redirects name the host that was asked for",
    "mail": "mail is not spoken here",
    "http": "there is one before it",
}


def reason(directive: Directive) -> str:
    """Why nothing was made of it."""
    return REASONS.get(directive.name, "there is nothing like it here")
