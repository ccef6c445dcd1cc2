"""Registers two users, logs in, publishes and claims a KeyPackage and polls, all by the generated client.

Takes the server's URL, the seed of an Ed25519 key and a KeyPackage that was made with it for the first client, both base64url.
"""

import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from microchat_client import AuthenticatedClient, Client
from microchat_client.api.accounts import register_account
from microchat_client.api.delivery import poll_events
from microchat_client.api.key_packages import claim_key_packages, upload_key_packages
from microchat_client.api.sessions import create_challenge, log_in
from microchat_client.models import (
    Challenge,
    ChallengeRequest,
    ClaimKeyPackages,
    Events,
    KeyPackagesClaimed,
    KeyPackagesLowItem,
    KeyPackagesStored,
    NameTakenProblem,
    NewSignatureKey,
    NewSignatureKeyScheme,
    OpenSession,
    RegisterAccount,
    Session,
    UnauthenticatedProblem,
    UploadKeyPackages,
)

ED25519 = 0x0807
SUITE = 1


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opaque(data: bytes) -> bytes:
    """`opaque<V>` of RFC 9420 §2.1.2, of up to 16383 bytes."""
    size = len(data)
    header = bytes([size]) if size < 64 else bytes([0x40 | size >> 8, size & 0xFF])
    return header + data


def expect(kind, answer):
    assert isinstance(answer, kind), f"{kind.__name__} was expected, and this came: {answer}"
    return answer


class Device:
    def __init__(self, url: str, user: str, key: Ed25519PrivateKey):
        self.url = url
        self.user = f"mimi://localhost/u/{user}"
        self.client = f"mimi://localhost/d/{user}/generated"
        self.key = key
        self.public_key = encoded(key.public_key().public_bytes_raw())
        self.anonymous = Client(base_url=url)

    def prove(self) -> tuple[str, str]:
        """A nonce, and SignWithLabel (RFC 9420 §5.1.2) over it."""
        request = ChallengeRequest(client=self.client)
        challenge = expect(Challenge, create_challenge.sync(client=self.anonymous, body=request))
        content = opaque(challenge.domain.encode()) + opaque(self.client.encode()) + opaque(decoded(challenge.nonce))
        content += challenge.expires_at.to_bytes(8, "big")
        signed = opaque(b"MLS 1.0 MicroChat Device Login") + opaque(content)
        return challenge.nonce, encoded(self.key.sign(signed))

    def register(self):
        nonce, proof = self.prove()
        keys = [NewSignatureKey(scheme=NewSignatureKeyScheme(ED25519), public_key=self.public_key, proof=proof)]
        body = RegisterAccount(user=self.user, client=self.client, nonce=nonce, signature_keys=keys)
        return register_account.sync(client=self.anonymous, body=body)

    def log_in(self) -> AuthenticatedClient:
        nonce, proof = self.prove()
        body = OpenSession(client=self.client, nonce=nonce, public_key=self.public_key, proof=proof)
        session = expect(Session, log_in.sync(client=self.anonymous, body=body))
        return AuthenticatedClient(base_url=self.url, token=session.access_token)


def main(url: str, seed: str, key_package: str) -> None:
    alice = Device(url, "python-alice", Ed25519PrivateKey.from_private_bytes(decoded(seed)))
    carol = Device(url, "python-carol", Ed25519PrivateKey.generate())
    for device in (alice, carol):
        expect(Session, device.register())
    expect(NameTakenProblem, alice.register())
    alice_session, carol_session = alice.log_in(), carol.log_in()

    stored = upload_key_packages.sync(client=alice_session, body=UploadKeyPackages(key_packages=[key_package]))
    assert len(expect(KeyPackagesStored, stored).stored) == 1
    claim = ClaimKeyPackages(user=alice.user, cipher_suites=[SUITE])
    claimed = expect(KeyPackagesClaimed, claim_key_packages.sync(client=carol_session, body=claim))
    assert [one.key_package for one in claimed.key_packages] == [key_package], claimed

    events = expect(Events, poll_events.sync(client=alice_session, wait=0))
    assert [type(item) for item in events.inbox] == [KeyPackagesLowItem], events
    assert events.inbox[0].remaining == 0 and events.entries == [] and events.more is False, events
    stranger = AuthenticatedClient(base_url=url, token="wrong")
    expect(UnauthenticatedProblem, poll_events.sync(client=stranger, wait=0))


main(*sys.argv[1:])
