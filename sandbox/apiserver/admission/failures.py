"""Why a webhook could not be reached, in the words of Go's networking, which people search for.

Called by `calls.py` with what Python's networking raised.
"""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509

_LOOKS_FOR = 5.0
"""Seconds to fetch a certificate in order to say what is wrong with it."""

_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


class Unresolved(Exception):
    """A Service that leads nowhere; the text says why."""


async def explained(error: Exception, url: str) -> str:
    """What went wrong with a call of `url`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    match error:
        case TimeoutError():
            return "context deadline exceeded"
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: x509: {await _certificate_problem(error, host, port)}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {host}: no such host"
        case aiohttp.ClientConnectorError():
            return _dial_problem(error.os_error, host, port)
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.ClientOSError():
            return "read: connection reset by peer" if isinstance(error, ConnectionResetError) else "EOF"
        case _:
            return str(error)


def _dial_problem(error: OSError, host: str, port: int) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason in _NOT_TLS:
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(error.reason or str(error)).lower().replace('_', ' ')}"
    why = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error.strerror).lower()
    return f"dial tcp {host}:{port}: connect: {why}"


async def _certificate_problem(error: aiohttp.ClientConnectorCertificateError, host: str, port: int) -> str:
    """Looks at the certificate that was refused: what Python tells of it does not name its hosts."""
    certificate = await _certificate(error.host, error.port or port, host)
    if certificate is None:
        return "certificate signed by unknown authority"
    problem = _name_problem(certificate, host)
    if problem:
        return problem
    now = datetime.now(UTC).replace(microsecond=0)
    expired = "certificate has expired or is not yet valid: current time"
    if now > certificate.not_valid_after_utc:
        return f"{expired} {_time(now)} is after {_time(certificate.not_valid_after_utc)}"
    if now < certificate.not_valid_before_utc:
        return f"{expired} {_time(now)} is before {_time(certificate.not_valid_before_utc)}"
    return "certificate signed by unknown authority"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def _certificate(address: str, port: int, name: str) -> x509.Certificate | None:
    """What the server shows, whoever signed it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError, TimeoutError):  # the first failure is the one to tell of
        async with asyncio.timeout(_LOOKS_FOR):
            _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(shown)
    return None


def _name_problem(certificate: x509.Certificate, host: str) -> str:
    """Why a certificate is not for a host; "" where it is."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "certificate relies on legacy Common Name field, use SANs instead"
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    hosts = names.get_values_for_type(x509.DNSName)
    if _is_address(host):
        if host in addresses:
            return ""
        if not addresses:
            return f"cannot validate certificate for {host} because it doesn't contain any IP SANs"
        return f"certificate is valid for {', '.join(addresses)}, not {host}"
    if any(_covers(pattern, host) for pattern in hosts):
        return ""
    if not hosts:
        return f"certificate is not valid for any names, but wanted to match {host}"
    return f"certificate is valid for {', '.join(hosts)}, not {host}"


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.partition(".")[2].lower() == pattern[2:].lower()
    return pattern.lower() == host.lower()
