"""Throw-away keys: a certificate authority with one server on loopback, Apple's kind of key and Google's."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

_SINCE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_UNTIL = datetime.datetime(2049, 1, 1, tzinfo=datetime.UTC)


def pem(key: PrivateKeyTypes) -> str:
    """A private key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """Its public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def p256() -> ec.EllipticCurvePrivateKey:
    """The kind of key that Apple gives."""
    return ec.generate_private_key(ec.SECP256R1())


def rsa_2048() -> rsa.RSAPrivateKey:
    """The kind of key that Google gives."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def write_certificates(folder: Path) -> Path:
    """Writes `server.pem` (key and certificate of 127.0.0.1) and returns the authority's file to trust."""
    ca_key, server_key = p256(), p256()
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a throw-away authority")])
    ca = _signed(ca_name, ca_name, ca_key, by=ca_key, is_authority=True)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stand-in")])
    server = _signed(name, ca_name, server_key, by=ca_key, is_authority=False)
    (folder / "server.pem").write_text(pem(server_key) + server.public_bytes(Encoding.PEM).decode())
    trusted = folder / "ca.pem"
    trusted.write_bytes(ca.public_bytes(Encoding.PEM))
    return trusted


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: ec.EllipticCurvePrivateKey,
    is_authority: bool,
) -> x509.Certificate:
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    return (built if is_authority else built.add_extension(loopback, critical=False)).sign(
        by, hashes.SHA256()
    )
