"""Keys of Microsoft's on this machine: what tokens are signed with, and a throw-away authority."""

import base64
import datetime
import ipaddress
from functools import cache

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://api.botframework.com"
PEM = serialization.Encoding.PEM


@cache
def key(name):
    """Return the RSA key of that name; the same name gives the same key while the process runs."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def kid(name):
    """Return the id of a key, in the form that is usual for one."""
    return base64.urlsafe_b64encode(f"key of {name}".encode().ljust(20, b".")).decode().rstrip("=")


def signed(name, claims, **headers):
    """Return a token that was signed with the key of that name."""
    about = {"kid": kid(name), "x5t": kid(name), **headers}
    return jwt.encode(claims, key(name), algorithm="RS256", headers=about)


def unsigned(name, claims):
    """Return a token that says of itself that nobody has signed it."""
    return jwt.encode(claims, None, algorithm="none", headers={"kid": kid(name)})


def opened(name, token, audience):
    """Return the claims of a token that was signed with that key for that audience.

    Raises:
        jwt.InvalidTokenError: It was not, or it is not valid at this time.
    """
    return jwt.decode(token, key(name).public_key(), algorithms=["RS256"], audience=audience)


def jwks(*names, **more):
    """Return the public halves of keys, as they are published."""
    return {"keys": [{**_jwk(name), **more} for name in names]}


def _jwk(name):
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key(), as_dict=True)
    return {**public, "use": "sig", "kid": kid(name), "x5t": kid(name)}


@cache
def authority():
    """Return the authority's key and certificate."""
    made = ec.generate_private_key(ec.SECP256R1())
    named = _named("Throw-away authority")
    usage = x509.KeyUsage(**dict.fromkeys(USES, False) | {"key_cert_sign": True, "crl_sign": True})
    about = (
        _certificate(named, named, made)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return made, about.sign(made, hashes.SHA256())


def trusted():
    """Return the authority's certificate, for clients that shall trust it (PEM)."""
    return authority()[1].public_bytes(PEM)


@cache
def certified(*hosts):
    """Return a key and a certificate for these hosts and this machine (PEM, PEM)."""
    signer, root = authority()
    made = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(host) for host in hosts]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    about = (
        _certificate(_named(hosts[0]), root.subject, made)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(ours, critical=False)
    )
    private = made.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, about.sign(signer, hashes.SHA256()).public_bytes(PEM)


USES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
    " key_cert_sign crl_sign encipher_only decipher_only"
).split()


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(subject, issuer, made):
    day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
    public = made.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
